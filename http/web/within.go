package web

import "gesta/projections"

// Part asks for a page of what belongs to something.
type Part[Of any] struct {
	Of   Of
	Page projections.Page
}

// Within reads whose list is asked for, and which page of it: page and page_size are as Lists reads them.
func Within[Of any](of func(*Request) (Of, error), size, maxSize int) Reading[Part[Of]] {
	list := Lists(size, maxSize)
	return Reads(func(r *Request) (p Part[Of], err error) {
		if p.Of, err = of(r); err != nil {
			return p, err
		}
		q, err := list.read(r)
		p.Page = q.Page
		return p, err
	}).Asks(list.query...)
}
