package value

// Or answers what is pointed to, and the zero value where nothing is.
func Or[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
