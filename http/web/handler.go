package web

import (
	"bytes"
	"context"
	"reflect"

	"gesta/commands"
	"gesta/domain/id"
)

// Handler is what a row does: what it reads of a request, how it acts on that, and what it shows of what came
// of it.
type Handler struct {
	act     func(*Request) (Answer, error)
	again   func(*Request, commands.Made) (Answer, error) // nil where nothing is to be shown
	account func(*Request) string                         // whose credential is tried; nil where no account is named

	Body  reflect.Type // the JSON object that is read; nil for none
	Spare bool         // whether the body may be left out
	Query []Param      // that are read of the query
	Type  string       // of what is shown; "" for JSON
	Forms []Form       // in which it is shown as well
	Shown reflect.Type // what is shown, before its envelope; nil for no body

	Revised bool   // what is shown is single, and of a revision
	Told    bool   // what is shown is no thing, but says what was done
	shape   uint32 // of what is shown
}

// Repeats tells whether the row can show anew what it has made.
func (h Handler) Repeats() bool { return h.again != nil }

// Answer is what is to be shown, nil for nothing, and what it is a revision of.
type Answer struct {
	Shown    any
	Revision Revision
	stream   *Stream // instead of anything shown
	page     *Body   // likewise
}

// Revision is a thing as of a version of its stream; zero where it is none.
type Revision struct {
	ID      id.ID
	Version int64
}

// Revised is something single that can be asked for again, or changed, on condition that it is still the same.
type Revised interface{ Revision() (id.ID, int64) }

func revisionOf(of any) Revision {
	if r, ok := of.(Revised); ok {
		i, version := r.Revision()
		return Revision{i, version}
	}
	return Revision{}
}

// Reading makes of a request what is asked.
type Reading[In any] struct {
	read  func(*Request) (In, error)
	body  reflect.Type
	spare bool
	query []Param
	names func(In) string
}

// Param is a parameter of the query, as clients are told of it.
type Param struct {
	Name, Text string
	Required   bool
	Format     string   // such as "email"; "" for any text
	Enum       []string // the words that there are; nil for any
	Boolean    bool     // true or false
	Many       bool     // may be given again and again, which is as good as with commas between
	Least      int      // of a number, which it is if there is a greatest one
	Most       int
	Default    int
}

// Asks lists the parameters of the query that are read.
func (r Reading[In]) Asks(query ...Param) Reading[In] { r.query = query; return r }

// And reads more of the request into what is asked.
func (r Reading[In]) And(more func(*Request, In) (In, error)) Reading[In] {
	read := r.read
	r.read = func(q *Request) (In, error) {
		in, err := read(q)
		if err != nil {
			return in, err
		}
		return more(q, in)
	}
	return r
}

// Names says whose secret is tried, so that wrong ones are counted per account, as a realm compares them: two spellings
// of an address must be one name. "" where none is presented.
func (r Reading[In]) Names(account func(In) string) Reading[In] { r.names = account; return r }

// account answers the name, "" where the request is none that could be acted on.
func (r Reading[In]) account() func(*Request) string {
	if r.names == nil {
		return nil
	}
	return func(q *Request) string {
		in, err := r.read(q)
		if err != nil {
			return ""
		}
		return r.names(in)
	}
}

// Reads reads all but the body.
func Reads[In any](read func(*Request) (In, error)) Reading[In] { return Reading[In]{read: read} }

// Takes reads the JSON object of the body into a B, whose doc comments and tags tell clients what it says, and
// what is asked from both.
func Takes[B, In any](read func(*Request, B) (In, error)) Reading[In] {
	return Reading[In]{
		body: reflect.TypeFor[B](),
		read: func(r *Request) (in In, err error) {
			var body B
			if err := r.Body(&body); err != nil {
				return in, err
			}
			return read(r, body)
		},
	}
}

// MayTake is Takes for a body that may be left out: whatever its type is said to be, an empty one says nothing.
func MayTake[B, In any](read func(*Request, B) (In, error)) Reading[In] {
	taking := Takes(read)
	return Reading[In]{
		body: taking.body, spare: true,
		read: func(r *Request) (in In, err error) {
			body, err := r.text()
			if err != nil {
				return in, unread(err)
			}
			if len(bytes.TrimSpace(body)) == 0 {
				var nothing B
				return read(r, nothing)
			}
			return taking.read(r)
		},
	}
}

// Handle makes a handler of its three words: read the request into what is asked, act on it, show what
// came of it.
func Handle[In, Out, Shown any](
	reading Reading[In], act func(context.Context, In) (Out, error), show func(Out) Shown,
) Handler {
	return Handler{
		Body: reading.body, Spare: reading.spare, Query: reading.query, Shown: reflect.TypeFor[Shown](), Revised: reflect.TypeFor[Out]().Implements(reflect.TypeFor[Revised]()),
		account: reading.account(), act: handle(reading, act, show), shape: shapeOf(reflect.TypeFor[Shown]()),
	}
}

func handle[In, Out, Shown any](
	reading Reading[In], act func(context.Context, In) (Out, error), show func(Out) Shown,
) func(*Request) (Answer, error) {
	return func(r *Request) (a Answer, err error) {
		in, err := reading.read(r)
		if err != nil {
			return a, err
		}
		out, err := act(r.Context(), in)
		if err != nil {
			return a, err
		}
		return Answer{Shown: show(out), Revision: revisionOf(out)}, nil
	}
}

// AsIs shows what came of it as it is.
func AsIs[T any](shown T) T { return shown }

// Make is Handle for an act that must happen once however often it is asked for under one key; again finds what
// it has made, or changed, to show it anew.
func Make[In, Out, Shown any](
	reading Reading[In], act func(context.Context, In) (Out, error),
	again func(context.Context, In, commands.Made) (Out, error), show func(Out) Shown,
) Handler {
	h := Handle(reading, act, show)
	h.again = func(r *Request, made commands.Made) (Answer, error) {
		return handle(reading, func(ctx context.Context, in In) (Out, error) { return again(ctx, in, made) }, show)(r)
	}
	return h
}

// Do makes a handler of an act that leaves nothing to show.
func Do[In any](reading Reading[In], act func(context.Context, In) error) Handler {
	return Handler{
		Body: reading.body, Spare: reading.spare, Query: reading.query, account: reading.account(),
		act:   handle(reading, func(ctx context.Context, in In) (any, error) { return nil, act(ctx, in) }, func(any) any { return nil }),
		again: func(*Request, commands.Made) (a Answer, err error) { return a, nil },
	}
}

// Tell makes a handler of an act that leaves nothing to show but that it was done.
func Tell[In, Shown any](reading Reading[In], act func(context.Context, In) error, told Shown) Handler {
	h := Make(reading,
		func(ctx context.Context, in In) (Shown, error) { return told, act(ctx, in) },
		func(context.Context, In, commands.Made) (Shown, error) { return told, nil },
		AsIs[Shown])
	h.Told = true
	return h
}
