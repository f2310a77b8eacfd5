package spec

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"gesta/domain"
)

// checkShown folds events of all types of a stream in any order, and looks at each state on the way.
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
	for _, marker := range r.Personal {
		if bytes.Contains(masked, []byte(marker)) {
			t.Errorf("%s of %s is in %s", marker, a.Kind, masked)
		}
	}
	for _, marker := range append(r.Secret, "0001-01-01") {
		if bytes.Contains(clear, []byte(marker)) {
			t.Errorf("%s of %s is in %s", marker, a.Kind, clear)
		}
	}
	return true
}
