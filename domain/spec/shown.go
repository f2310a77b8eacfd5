package spec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"gesta/domain"
)

// checkShown folds events of all types of a stream in any order, and looks at each state on the way: nothing that an event
// has said as something personal is in what is shown to those who may not see it, and nothing secret in what anybody is shown.
func checkShown(t *testing.T, types []domain.Type, a domain.Aggregate) {
	t.Helper()
	var own []domain.Type
	for _, typ := range types {
		if strings.HasPrefix(typ.Name, a.Kind+".") {
			own = append(own, typ)
		}
	}
	shows := false
	for seed := range uint64(20) {
		r := Random{Rand: rand.New(rand.NewPCG(seed, 2))}
		state := a.Zero
		for n := range 40 {
			typ := own[r.IntN(len(own))]
			if n == 0 {
				typ = own[0]
			}
			state = a.Evolve(state, r.Event(typ), At.Add(time.Duration(n)*time.Minute))
			shows = r.checkState(t, a, state) || shows
		}
	}
	if !shows {
		t.Errorf("no state of %s shows anything", a.Kind)
	}
}

func (r *Random) checkState(t *testing.T, a domain.Aggregate, state any) (shows bool) {
	t.Helper()
	if state.(domain.Showing).Show() == nil {
		return false
	}
	if err := a.CheckShown(state); err != nil {
		t.Fatal(err)
	}
	masked, err1 := domain.ShowState(state, false)
	clear, err2 := domain.ShowState(state, true)
	ought, err3 := json.Marshal(state.(domain.Showing).Show())
	if err1 != nil || err2 != nil || err3 != nil || !bytes.Equal(clear, ought) || !json.Valid(masked) {
		t.Fatalf("%s, %s: %v, %v, %v", masked, clear, err1, err2, err3)
	}
	maskedLeaves, clearLeaves := leaves(t, state)
	for _, shown := range [][]byte{masked, maskedLeaves} {
		lacks(t, a, shown, r.Personal)
	}
	for _, shown := range [][]byte{clear, clearLeaves} {
		lacks(t, a, shown, append(r.Secret, "0001-01-01"))
	}
	return true
}

// leaves are all fields as differences show them.
func leaves(t *testing.T, state any) (masked, clear []byte) {
	t.Helper()
	all, err := domain.LeavesOf(state)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range all {
		masked = fmt.Append(masked, l.Path, "=", string(l.Shown(false)), "\n")
		clear = fmt.Append(clear, l.Path, "=", string(l.Shown(true)), "\n")
	}
	return masked, clear
}

func lacks(t *testing.T, a domain.Aggregate, shown []byte, markers []string) {
	t.Helper()
	for _, marker := range markers {
		if bytes.Contains(shown, []byte(marker)) {
			t.Errorf("%s of %s is in %s", marker, a.Kind, shown)
		}
	}
}
