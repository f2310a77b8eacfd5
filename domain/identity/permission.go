package identity

import (
	"errors"
	"regexp"
	"strings"
)

// Permission is what somebody may do to things of a kind, as in customers:read. A * stands for every kind of thing, or
// for everything that can be done to one.
type Permission string

// anything is the word that stands for all words.
const anything = "*"

var permissionWord = regexp.MustCompile(`^(\*|[a-z][a-z0-9_-]{1,49})$`)

// ErrPermissionWord refuses half of a permission.
var ErrPermissionWord = errors.New("must be * or 2 to 50 of a-z, 0-9, _ and -, beginning with a letter")

// ParsePermissionWord reads a resource or an action, in any case.
func ParsePermissionWord(s string) (string, error) {
	s = strings.ToLower(strings.TrimSpace(s))
	if !permissionWord.MatchString(s) {
		return "", ErrPermissionWord
	}
	return s, nil
}

// PermissionTo names a permission by its halves, as ParsePermissionWord made them.
func PermissionTo(resource, action string) Permission { return Permission(resource + ":" + action) }

// Parts takes a permission apart.
func (p Permission) Parts() (resource, action string) {
	resource, action, _ = strings.Cut(string(p), ":")
	return resource, action
}

// Covers tells whether who holds p may do what o asks for; all that o stands for, where it has a * itself.
func (p Permission) Covers(o Permission) bool {
	resource, action := p.Parts()
	otherResource, otherAction := o.Parts()
	return (resource == anything || resource == otherResource) && (action == anything || action == otherAction)
}
