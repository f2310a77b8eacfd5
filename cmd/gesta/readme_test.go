package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"gesta/domain/identity"
	"gesta/http/accounts"
	"gesta/http/web"
)

// UPDATE_GOLDEN=1 writes the golden files anew.
var update = os.Getenv("UPDATE_GOLDEN") != ""

const (
	readme     = "../../README.md"
	tableBegin = "<!-- configuration -->\n"
	tableEnd   = "<!-- /configuration -->"
)

// The README's table of settings is made from the code.
func TestEverySettingStandsInTheREADME(t *testing.T) {
	t.Parallel()
	between(t, tableBegin, tableEnd, settingsTable(t))
}

func settingsTable(t *testing.T) string {
	t.Helper()
	var c cli
	parser, err := newParser(&c)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	out.WriteString("| Environment | Flag | Default | |\n|---|---|---|---|\n")
	row := func(f *kong.Flag, of string) {
		if len(f.Envs) == 0 {
			return
		}
		byDefault := ""
		if f.HasDefault {
			byDefault = "`" + f.Default + "`"
		}
		fmt.Fprintf(&out, "| `%s` | `%s--%s` | %s | %s |\n", f.Envs[0], of, f.Name, byDefault, f.Help)
	}
	for _, f := range parser.Model.Flags {
		row(f, "")
	}
	for _, command := range parser.Model.Children {
		for _, f := range command.Flags {
			row(f, command.Name+" ")
		}
	}
	return out.String()
}

// Every row of a surface stands in the README with the statuses it answers.
func TestEveryRouteStandsInTheREADME(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	for _, r := range accounts.New(accounts.App{}, accounts.Realm(identity.SignUpFirst)).Routes {
		i := slices.IndexFunc(lines, func(l string) bool {
			rest, ok := strings.CutPrefix(l, "| `"+r.Method+" "+r.Path)
			return ok && (rest[0] == '`' || rest[0] == '?')
		})
		if i < 0 {
			t.Errorf("the README does not know %s %s", r.Method, r.Path)
			continue
		}
		for _, status := range append([]int{r.Status}, r.Refusals...) {
			if !strings.Contains(lines[i], strconv.Itoa(status)) {
				t.Errorf("the README does not know that %s %s answers %d", r.Method, r.Path, status)
			}
		}
	}
}

// The rows of an API that has many are written by make golden.
func TestTheREADMEListsAllRows(t *testing.T) {
	t.Parallel()
	surfaces, err := (&Settings{}).described()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(surfaces, func(s web.Surface) bool { return s.Name == "promenade" })
	between(t, "<!-- routes promenade -->\n", "<!-- /routes promenade -->", routesTable(surfaces[i]))
}

func routesTable(s web.Surface) string {
	var out strings.Builder
	out.WriteString("| Route | Who | |\n|---|---|---|\n")
	for _, r := range s.Routes {
		path, separator := r.Path, "?"
		for _, p := range r.Handler.Query {
			path, separator = path+separator+p.Name+"=", "&"
		}
		who := "signed in"
		switch {
		case r.Access.Public:
			who = "anyone"
		case r.Access.Permission != "":
			who = "`" + string(r.Access.Permission) + "`"
		}
		statuses := strings.Trim(fmt.Sprint(append([]int{r.Status}, r.Refusals...)), "[]")
		fmt.Fprintf(&out, "| `%s %s` | %s | %s: %s |\n", r.Method, path, who, r.Summary, statuses)
	}
	return out.String()
}

var writing sync.Mutex

// between checks what stands between two marks in the README, or writes it there.
func between(t *testing.T, begin, end, ought string) {
	t.Helper()
	writing.Lock() // Others write between other marks.
	defer writing.Unlock()
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok1 := strings.Cut(string(text), begin)
	is, after, ok2 := strings.Cut(rest, end)
	switch {
	case !ok1 || !ok2:
		t.Fatalf("the README has no place between %s and %s", begin, end)
	case is == ought:
	case !update:
		t.Fatalf("the README is not as the code is; make golden writes:\n%s", ought)
	default:
		if err := os.WriteFile(readme, []byte(before+begin+ought+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTheHardenedProfile(t *testing.T) {
	t.Parallel()
	documented, hardened := parse(t), parse(t, "--profile", "hardened")
	if documented.signUp() != identity.SignUpFirst || len(documented.weaknesses()) == 0 {
		t.Errorf("documented: %s %v", documented.signUp(), documented.weaknesses())
	}
	if hardened.signUp() != identity.SignUpClosed || len(hardened.weaknesses()) != 0 {
		t.Errorf("hardened: %s %v", hardened.signUp(), hardened.weaknesses())
	}
	surfaces, err := hardened.described()
	if err != nil {
		t.Fatal(err)
	}
	limits, err := hardened.limits(surfaces)
	if err != nil || len(limits.Unlimited(surfaces)) != 0 {
		t.Errorf("%v %v", limits, err)
	}
	for _, row := range []string{"accounts POST /users", "accounts POST /auth/login", "accounts POST /auth/refresh", "accounts PUT /users/:id", "promenade POST /api/v1/identity/auth/refresh"} {
		if limits[row] != credentialLimit {
			t.Errorf("%s is not limited", row)
		}
	}
	if row := "promenade POST /api/v1/identity/users/login"; limits[row] != (web.Limit{Requests: 5, Per: time.Minute}) {
		t.Errorf("%s is not limited as its document says", row)
	}
	for _, row := range []string{"accounts POST /auth/login", "accounts POST /auth/login#account", "promenade POST /api/v1/identity/users/login#account"} {
		off, err := parse(t, "--profile", "hardened", "--rate-limits", row+"=off").limits(surfaces)
		if got := off.Unlimited(surfaces); err != nil || len(got) != 1 || got[0] != row {
			t.Errorf("switched off: %v %v", got, err)
		}
	}
}

func TestTrustedProxies(t *testing.T) {
	t.Parallel()
	if got := parse(t).TrustedProxies; len(got) != 0 {
		t.Errorf("by default: %v", got)
	}
	if got := fmt.Sprint(parse(t, "--trusted-proxies", "10.0.0.0/8, ::1").TrustedProxies); got != "[10.0.0.0/8 ::1/128]" {
		t.Error(got)
	}
}

func parse(t *testing.T, flags ...string) *Settings {
	t.Helper()
	var c cli
	parser, err := newParser(&c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(append(flags, "version")); err != nil {
		t.Fatal(err)
	}
	return &c.Settings
}

func TestPagesOfTheOriginsSetMayReadASurface(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]web.Origins{"": nil, "*": {"*"}, "https://a.example, http://localhost:8090": {"https://a.example", "http://localhost:8090"}} {
		for n, flag := range []string{"--accounts-cors-allow-origin", "--promenade-cors-allow-origin"} {
			a := &app{Settings: parse(t, flag, text)}
			if err := a.openSurfaces(); err != nil || !slices.Equal(a.surfaces[n].CORS.Origins, want) || len(a.surfaces[1-n].CORS.Origins) > 0 {
				t.Errorf("%s %q: %v %v", flag, text, err, a.surfaces[n].CORS)
			}
		}
	}
}
