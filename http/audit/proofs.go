package audit

import (
	"context"
	"encoding/base64"
	"errors"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"

	"gesta/domain/audit"
	"gesta/eventstore/proof"
	"gesta/http/web"
)

const textPlain = "text/plain"

var (
	ofPosition = web.Param{Name: "position", Text: "Of the event.", Required: true}
	ofFrom     = web.Param{Name: "from", Text: "How many events the older history has.", Required: true}
	ofTo       = web.Param{Name: "to", Text: "How many events the newer one has; as many as the checkpoint when it is left out."}
)

func (a api) proofRoutes() []web.Route {
	return []web.Route{
		web.Get(prefix+"/key", web.Unasked, web.InText(textPlain, web.Handle(web.Reads(nothing), a.verifier, asText))).
			Does("Show the key that checkpoints are verified with, in the form of notes: name+hash+base64"),
		web.Get(prefix+"/checkpoint", web.SignedIn, web.InText(textPlain, web.Handle(web.Reads(nothing), a.checkpoint, asText))).
			Does("Show what was signed last, as a note in the form of C2SP's tlog-checkpoint").Refuses(401, 404),
		web.Get(prefix+"/proof/inclusion", readers, web.Handle(recorded(a, audit.Evidence, web.Reads(readInclusion).Asks(ofPosition)), a.inclusion, showInclusion)).
			Does("Prove that an event is in the history that was signed; 503 log_rebuilding while the log is made anew, log_damaged where it does not prove it").Refuses(400, 401, 403, 404),
		web.Get(prefix+"/proof/consistency", readers, web.Handle(recorded(a, audit.Evidence, web.Reads(sizesOf).Asks(ofFrom, ofTo)), a.consistency, showConsistency)).
			Does("Prove that a history is the beginning of a later one; 503 as of inclusion").Refuses(400, 401, 403, 404),
	}
}

func nothing(*web.Request) (struct{}, error) { return struct{}{}, nil }

func asText(text string) string { return text }

func (a api) verifier(context.Context, struct{}) (string, error) { return a.VerifierKey + "\n", nil }

func (a api) checkpoint(ctx context.Context, _ struct{}) (string, error) {
	c, err := a.Prover.Checkpoint(ctx)
	return c.Text, err
}

// inclusionAsked asks for the proof of an event.
type inclusionAsked struct {
	position int64
	clear    bool
}

func readInclusion(r *web.Request) (inclusionAsked, error) {
	q := query{Request: r}
	return inclusionAsked{q.size(ofPosition), seesClear(r.Caller)}, q.InQuery()
}

// inclusion leaves out the leaf where it says in clear what whoever asks must not see: the hash proves as much.
func (a api) inclusion(ctx context.Context, in inclusionAsked) (proof.Inclusion, error) {
	i, err := a.Prover.Inclusion(ctx, in.position)
	if err == nil && !in.clear && !a.Streams.Vault.IsSealed(i.Event) {
		i.Leaf = nil
	}
	return i, err
}

// sizes are those of two histories; to is 0 for that of the checkpoint.
type sizes struct{ from, to int64 }

func sizesOf(r *web.Request) (s sizes, err error) {
	q := query{Request: r}
	s.from = q.size(ofFrom)
	if r.Query(ofTo.Name) != "" {
		s.to = q.size(ofTo)
	}
	return s, q.InQuery()
}

var errSize = errors.New("must be a whole number of 1 or more")

// size is how many events there are up to one.
func (q *query) size(p web.Param) int64 {
	n, err := strconv.ParseInt(q.Query(p.Name), 10, 64)
	if err != nil || n < 1 {
		q.refuse(p.Name, errSize)
	}
	return n
}

func (a api) consistency(ctx context.Context, s sizes) (proof.Consistency, error) {
	return a.Prover.Consistency(ctx, s.from, s.to)
}

// inclusion proves that an event is in the history: the path of RFC 6962 from its leaf to the root.
type inclusion struct {
	Position string `json:"position"`
	// What the leaf is the hash of: the stored row in its documented encoding, in base64. An auditor is not shown the leaf of
	// an event that was written before personal data was sealed, or of a type that is not known here: the hash and the path
	// prove it all the same.
	Leaf string `json:"leaf,omitempty"`
	// SHA-256 of a byte 0 and the leaf, in base64.
	LeafHash string `json:"leaf_hash"`
	// In base64, from the leaf's neighbour upwards.
	Hashes []string `json:"hashes"`
	// The signed note whose root the path leads to.
	Checkpoint string `json:"checkpoint"`
}

func showInclusion(i proof.Inclusion) inclusion {
	return inclusion{
		number(i.Position), base64.StdEncoding.EncodeToString(i.Leaf), proof.LeafOf(i.Event).Hash().String(),
		spelled(i.Hashes), i.Checkpoint.Text,
	}
}

// tree is a history of some size.
type tree struct {
	// How many events it has.
	Size string `json:"size"`
	// In base64.
	Root string `json:"root"`
}

// consistency proves that the one history is the beginning of the other, as RFC 6962 does.
type consistency struct {
	From tree `json:"from"`
	To   tree `json:"to"`
	// In base64.
	Hashes []string `json:"hashes"`
	// The signed note of the newer history, or of a later one.
	Checkpoint string `json:"checkpoint"`
	// What proves that the newer history is the beginning of the one that was signed, likewise; none where it is that.
	ToCheckpoint []string `json:"to_checkpoint"`
}

func showConsistency(c proof.Consistency) consistency {
	return consistency{showTree(c.From), showTree(c.To), spelled(c.Hashes), c.Checkpoint.Text, spelled(c.ToCheckpoint)}
}

func showTree(t tlog.Tree) tree { return tree{number(t.N), t.Hash.String()} }

func spelled(hashes []tlog.Hash) []string {
	all := make([]string, len(hashes))
	for i, h := range hashes {
		all[i] = h.String()
	}
	return all
}
