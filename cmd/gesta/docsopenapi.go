package main

import (
	"fmt"
	"io"
	"strings"

	"gesta/commands"
	"gesta/http/openapi"
	"gesta/http/web"
)

type docsOpenapi struct {
	Surface string `help:"The API to describe, such as accounts; all of them by default."`
}

// Run prints a document as it is served.
func (d docsOpenapi) Run(s *Settings, std streams) error {
	surfaces, err := s.described()
	if err != nil {
		return err
	}
	path := "/openapi.json"
	if d.Surface != "" {
		path = "/openapi/" + d.Surface + ".json"
	}
	for _, f := range openapi.Files(version, surfaces...) {
		if f.Path == path {
			return write(std.out, f.Body)
		}
	}
	return fmt.Errorf("there is no API %q; there are %s", d.Surface, namesOf(surfaces))
}

// write prints a document.
func write(to io.Writer, body func() ([]byte, error)) error {
	text, err := body()
	if err == nil {
		_, err = to.Write(text)
	}
	return err
}

func namesOf(surfaces []web.Surface) string {
	var names []string
	for _, s := range surfaces {
		names = append(names, s.Name)
	}
	return strings.Join(names, ", ")
}

// described are the surfaces with nothing behind them: they can be described, not served.
func (s *Settings) described() ([]web.Surface, error) {
	a := &app{Settings: s, identity: &commands.Identity{}}
	a.openRealms()
	err := a.openSurfaces()
	return a.surfaces, err
}
