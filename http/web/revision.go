package web

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"gesta/commands"
	"gesta/domain"
	"gesta/domain/id"
	"gesta/domain/identity"
)

// Thing is the stream that a row is about.
type Thing struct {
	Kind string // as in "identity.user"; "" for no single thing
	id   func(*Request) (id.ID, bool)
	find func(context.Context, identity.Caller) (id.ID, error)
}

// Of says that the row is about a stream of that kind: the one that its :id names, or else one that it makes.
func (r Route) Of(kind string) Route { return r.OfParam(kind, "id") }

// OfParam is Of with another name of the parameter.
func (r Route) OfParam(kind, param string) Route {
	if !slices.Contains(strings.Split(r.Path, "/"), ":"+param) {
		r.Thing = Thing{Kind: kind}
		return r
	}
	r.Thing = Thing{Kind: kind, id: func(r *Request) (id.ID, bool) {
		i, err := r.surface.IDs.Read(r.Param(param))
		return i, err == nil && !i.IsZero()
	}}
	return r
}

// OfCaller is Of for a path that says "me": the stream has the caller's id.
func (r Route) OfCaller(kind string) Route {
	r.Thing = Thing{Kind: kind, id: func(r *Request) (id.ID, bool) {
		return r.Caller.User.ID, r.Caller != identity.Caller{}
	}}
	return r
}

// OfTheirs is Of for a path that says "me" of something the caller has one of: find names it, or refuses. It is asked
// only where a client says what it believes the thing to be.
func (r Route) OfTheirs(kind string, find func(context.Context, identity.Caller) (id.ID, error)) Route {
	r.Thing = Thing{Kind: kind, find: find}
	return r
}

// IsNamed tells whether a request says which stream it is about.
func (t Thing) IsNamed() bool { return t.id != nil || t.find != nil }

// thing is the stream that the request is about.
func (r *Request) thing() (s domain.Stream, named bool) {
	if r.route.Thing.id == nil {
		return s, false
	}
	i, named := r.route.Thing.id(r)
	return domain.Stream{Kind: r.route.Thing.Kind, ID: i}, named
}

const weak = "W/"

// tagOf is the entity tag of what is shown, or was changed; "" where that is no single thing. Where anybody may keep
// what is shown it is weak, since that comes in gzip as well.
func (r *Request) tagOf(a Answer, receipt *commands.Receipt) (string, error) {
	rev, known := r.revision(a, receipt)
	switch {
	case a.Shown == nil || r.route.Handler.Told:
		return "", nil
	case known && r.isKept():
		return weak + r.tag(rev), nil
	case known:
		return r.tag(rev), nil
	case r.route.Kept():
		return bodyTag(a.Shown)
	}
	return "", nil
}

func (r *Request) tag(rev Revision) string {
	return fmt.Sprintf(`"%s-%08x"`, state(rev.ID, rev.Version), r.route.Handler.shape)
}

// bodyTag is that of what is no revision of anything.
func bodyTag(shown any) (string, error) {
	text, err := json.Marshal(shown)
	sum := sha256.Sum256(text)
	return fmt.Sprintf(`%s"%x"`, weak, sum[:8]), err
}

func (r *Request) revision(a Answer, receipt *commands.Receipt) (Revision, bool) {
	if a.Revision != (Revision{}) || r.route.Thing.Kind == "" {
		return a.Revision, a.Revision != (Revision{})
	}
	thing, named := r.thing()
	for _, rev := range slices.Backward(receipt.Revisions) {
		if rev.Stream == thing || !named && rev.Stream.Kind == r.route.Thing.Kind {
			return Revision{rev.Stream.ID, rev.Version}, true
		}
	}
	return Revision{}, false
}

// state begins each tag of a thing at a version, however that is shown. The thing is named as well: what another one is
// shown in its place has another tag.
func state(i id.ID, version int64) string {
	sum := fnv.New32a()
	_, _ = sum.Write(i[:]) // It never fails.
	return fmt.Sprintf("%d-%08x", version, sum.Sum32())
}

// shapeOf tells one way of showing things from another: what is shown of a thing may change although the thing does not.
func shapeOf(t reflect.Type) uint32 {
	sum := fnv.New32a()
	writeShape(sum, t, nil)
	return sum.Sum32()
}

func writeShape(to io.Writer, t reflect.Type, within []reflect.Type) {
	fmt.Fprint(to, t.Kind(), t)
	if slices.Contains(within, t) {
		return
	}
	within = append(within, t)
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		writeShape(to, t.Elem(), within)
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			fmt.Fprint(to, f.Name, f.Tag)
			writeShape(to, f.Type, within)
		}
	}
}

// provide makes what a change decides depend on what the client believes the thing to be. A row that can't judge that
// refuses: the client must not take it for judged.
func (r *Request) provide() error {
	match, none := r.tags("If-Match"), r.tags("If-None-Match")
	if match == nil && none == nil || r.isRead() {
		return nil
	}
	thing, named := r.thing()
	if find := r.route.Thing.find; find != nil {
		i, err := find(r.ctx, r.Caller)
		if err != nil {
			return err
		}
		thing, named = domain.Stream{Kind: r.route.Thing.Kind, ID: i}, true
	}
	switch {
	case named:
		r.ctx = commands.Provided(r.ctx, thing, func(version int64) bool {
			is := `"` + state(thing.ID, version) + "-"
			return (match == nil || haveState(match, is)) && !haveState(unweighted(none), is)
		})
	case match != nil:
		return commands.ErrOutdated
	}
	return nil
}

// isFresh tells whether the client has what would be shown, and refuses where it asks for another one.
func (r *Request) isFresh(is string) (bool, error) {
	if !r.isRead() || is == "" {
		return false, nil
	}
	if match := r.tags("If-Match"); match != nil && !matches(match, strings.TrimPrefix(is, weak)) {
		return false, commands.ErrOutdated
	}
	return matches(unweighted(r.tags("If-None-Match")), strings.TrimPrefix(is, weak)), nil
}

// unweighted takes weak tags for good enough, as If-None-Match does.
func unweighted(tags []string) []string {
	for i, t := range tags {
		if strings.HasPrefix(t, weak+`"`) {
			tags[i] = t[len(weak):]
		}
	}
	return tags
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

// haveState tells whether any of the tags is of a thing at a version, however it was shown.
func haveState(tags []string, begins string) bool {
	return slices.ContainsFunc(tags, func(t string) bool { return t == "*" || strings.HasPrefix(t, begins) })
}
