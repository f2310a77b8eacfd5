package web

import (
	"fmt"
	"hash/fnv"
	"net/http"
	"slices"
	"strings"

	"gesta/commands"
	"gesta/domain"
	"gesta/domain/id"
)

// tagOf is the entity tag of what is shown, or was changed; "" where that is no single thing. Where anybody may keep
// what is shown it is weak, since that comes in gzip as well.
func (r *Request) tagOf(a Answer, receipt *commands.Receipt) string {
	if a.Revision != (Revision{}) {
		is := tag(a.Revision.ID, a.Revision.Version)
		if r.route.Kept() {
			is = weak + is
		}
		return is
	}
	if r.route.Thing == "" || a.Shown == nil {
		return ""
	}
	thing, named := r.thing()
	for _, rev := range slices.Backward(receipt.Revisions) {
		if rev.Stream == thing || !named && rev.Stream.Kind == r.route.Thing {
			return tag(rev.Stream.ID, rev.Version)
		}
	}
	return ""
}

const weak = "W/"

// tag names the thing as well: what another one is shown in its place has another tag.
func tag(i id.ID, version int64) string {
	sum := fnv.New32a()
	_, _ = sum.Write(i[:]) // It never fails.
	return fmt.Sprintf(`"%d-%08x"`, version, sum.Sum32())
}

// thing is the stream that the :id of the row names.
func (r *Request) thing() (s domain.Stream, named bool) {
	if r.route.Thing == "" {
		return s, false
	}
	i, err := r.surface.IDs.Read(r.Param("id"))
	return domain.Stream{Kind: r.route.Thing, ID: i}, err == nil && !i.IsZero()
}

// provide makes what a change decides depend on what the client believes the thing to be.
func (r *Request) provide() {
	match, none := r.tags("If-Match"), r.tags("If-None-Match")
	thing, named := r.thing()
	if match == nil && none == nil || !named || r.isRead() {
		return
	}
	r.ctx = commands.Provided(r.ctx, thing, func(version int64) bool {
		is := tag(thing.ID, version)
		return (match == nil || matches(match, is)) && !matches(none, is)
	})
}

// isFresh tells whether the client has what would be shown, and refuses where it asks for another one.
func (r *Request) isFresh(is string) (bool, error) {
	if !r.isRead() {
		return false, nil
	}
	if match := r.tags("If-Match"); match != nil && !matches(match, is) {
		return false, commands.ErrOutdated
	}
	none := r.tags("If-None-Match")
	for i, t := range none {
		none[i] = strings.TrimPrefix(t, weak) // A weak one is good enough to go on with what one has.
	}
	return matches(none, strings.TrimPrefix(is, weak)), nil
}

func (r *Request) isRead() bool { return r.route.Method == http.MethodGet }

// tags are those that a header lists; nil without the header.
func (r *Request) tags(header string) []string {
	var all []string
	for _, value := range r.echo.Request().Header.Values(header) {
		for one := range strings.SplitSeq(value, ",") { // No tag of ours has a comma in it.
			all = append(all, strings.TrimSpace(one))
		}
	}
	return all
}

func matches(tags []string, is string) bool {
	return slices.Contains(tags, is) || slices.Contains(tags, "*")
}
