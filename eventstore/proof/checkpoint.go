package proof

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Checkpoint says what the whole history was when it had so many events. Its text is a signed note: three lines with
// the origin, the size in digits and the root in base64, an empty line, and a line with the signature.
type Checkpoint struct {
	Origin string
	Text   string
	tlog.Tree
}

// Refusals of checkpoints.
var (
	ErrCheckpoint = errors.New("proof: no checkpoint")
	ErrSignature  = errors.New("proof: a checkpoint that is not signed by this key")
	ErrOrigin     = errors.New("proof: an origin is 1 to 128 characters, without space or +")
)

// CheckOrigin refuses, with ErrOrigin, what can't name a key.
func CheckOrigin(origin string) error {
	if origin == "" || len(origin) > 128 || !utf8.ValidString(origin) || strings.ContainsFunc(origin, func(r rune) bool {
		return r == '+' || unicode.IsSpace(r) || !unicode.IsPrint(r)
	}) {
		return ErrOrigin
	}
	return nil
}

// Key signs the checkpoints of an origin.
type Key struct {
	private ed25519.PrivateKey
	origin  string
}

// NewKey refuses, with ErrOrigin, what can't name a key.
func NewKey(origin string, private ed25519.PrivateKey) (Key, error) {
	return Key{private, origin}, CheckOrigin(origin)
}

// Origin is the name of the key and of the log.
func (k Key) Origin() string { return k.origin }

// Verifier is the public half in the form of notes: name+hash+base64.
func (k Key) Verifier() string { return k.verifierOf(k.origin) }

func (k Key) verifierOf(origin string) string {
	text, err := note.NewEd25519VerifierKey(origin, k.private.Public().(ed25519.PublicKey))
	if err != nil {
		panic(err) // It has the length of a key.
	}
	return text
}

// Sign makes the checkpoint of a tree.
func (k Key) Sign(tree tlog.Tree) (Checkpoint, error) {
	c := Checkpoint{Origin: k.origin, Tree: tree}
	signer, err := k.signer()
	if err != nil {
		return c, err
	}
	text, err := note.Sign(&note.Note{Text: c.body()}, signer)
	c.Text = string(text)
	return c, err
}

// signer is the private half in the form of notes, whose hash is that of the public half.
func (k Key) signer() (note.Signer, error) {
	verifier := strings.Split(k.Verifier(), "+")
	seed := base64.StdEncoding.EncodeToString(append([]byte{1}, k.private.Seed()...)) // 1 stands for Ed25519.
	return note.NewSigner("PRIVATE+KEY+" + verifier[0] + "+" + verifier[1] + "+" + seed)
}

func (c Checkpoint) body() string {
	return c.Origin + "\n" + strconv.FormatInt(c.N, 10) + "\n" + c.Hash.String() + "\n"
}

// Open reads a checkpoint that this key has signed, under whatever origin it had then.
func (k Key) Open(text string) (Checkpoint, error) {
	origin := originOf(text)
	if CheckOrigin(origin) != nil {
		return Checkpoint{}, ErrCheckpoint
	}
	return OpenCheckpoint(text, k.verifierOf(origin))
}

// Opener opens signed checkpoints: ErrSignature refuses those that somebody else has signed, ErrCheckpoint what is none.
type Opener func(text string) (Checkpoint, error)

// OpenWith opens checkpoints by a verifier key in the form of notes.
func OpenWith(key string) (Opener, error) {
	key = strings.TrimSpace(key)
	if _, err := note.NewVerifier(key); err != nil {
		return nil, errors.New("proof: no verifier key: it looks like name+hash+base64")
	}
	return func(text string) (Checkpoint, error) { return OpenCheckpoint(text, key) }, nil
}

// OpenCheckpoint reads a checkpoint that is signed by a key.
func OpenCheckpoint(text, key string) (c Checkpoint, err error) {
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return c, err
	}
	n, err := note.Open([]byte(text), note.VerifierList(verifier))
	var unverified *note.UnverifiedNoteError
	var invalid *note.InvalidSignatureError
	switch {
	case errors.As(err, &unverified), errors.As(err, &invalid):
		return c, ErrSignature
	case err != nil:
		return c, ErrCheckpoint
	}
	if c, err = parseBody(n.Text); err != nil || !isCanonical(n) {
		return c, ErrCheckpoint
	}
	if c.Text = text; c.Origin != verifier.Name() {
		return c, fmt.Errorf("%w of %s", ErrCheckpoint, verifier.Name())
	}
	return c, nil
}

// isCanonical refuses the other ways in which base64 spells the same bytes: a checkpoint has one text.
func isCanonical(n *note.Note) bool {
	for _, s := range append(n.Sigs, n.UnverifiedSigs...) {
		if _, err := base64.StdEncoding.Strict().DecodeString(s.Base64); err != nil {
			return false
		}
	}
	return true
}

// parseBody takes lines after the third, as the form allows them. Of no events nothing is signed.
func parseBody(text string) (c Checkpoint, err error) {
	lines := strings.SplitN(text, "\n", 4)
	if len(lines) < 4 {
		return c, ErrCheckpoint
	}
	c.Origin = lines[0]
	size, err1 := strconv.ParseInt(lines[1], 10, 64)
	root, err2 := tlog.ParseHash(lines[2])
	c.N, c.Hash = size, root
	if err1 != nil || err2 != nil || size < 1 || !strings.HasPrefix(text, c.body()) {
		return c, ErrCheckpoint
	}
	return c, nil
}
