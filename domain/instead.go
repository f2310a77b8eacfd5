package domain

import (
	"errors"
	"reflect"
	"strings"
)

// Instead is what an Opener refuses with that has a word in the place of a value, so that it can be told where one was:
// text fields say it then, and others are zero. What follows a NUL in it is not shown: two words with different ends are
// different values.
type Instead string

// Error says what is shown.
func (i Instead) Error() string { return "is shown as " + i.word() }

func (i Instead) word() string {
	word, _, _ := strings.Cut(string(i), "\x00")
	return word
}

// InsteadOf is the word that is shown in the place of a value that was not opened.
func InsteadOf(err error) string {
	var instead Instead
	switch {
	case errors.As(err, &instead):
		return instead.word()
	case errors.Is(err, ErrForgotten):
		return ShownForgotten
	}
	return ShownUnreadable
}

func (i Instead) say(to reflect.Value) {
	switch {
	case to.Kind() == reflect.String:
		to.SetString(string(i))
	case to.Kind() == reflect.Pointer && to.Type().Elem().Kind() == reflect.String:
		to.Set(reflect.New(to.Type().Elem()))
		to.Elem().SetString(string(i))
	}
}
