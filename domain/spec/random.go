package spec

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"time"

	"gesta/domain"
	"gesta/domain/id"
)

// Random makes events that say something else each time, and notes what they say that is private.
type Random struct {
	*rand.Rand
	Personal, Secret []string // texts, none of which is part of anything else that was said
	said             int
}

// Event is one of a type, with values of every form that its fields can have.
func (r *Random) Event(t domain.Type) domain.Event {
	whole := reflect.New(reflect.TypeOf(t.New())).Elem()
	r.fill(whole, "public")
	return whole.Interface().(domain.Event)
}

func (r *Random) fill(v reflect.Value, class string) {
	switch v.Kind() {
	case reflect.Bool, reflect.Int, reflect.Int64, reflect.Uint8:
		if class != "public" {
			panic(fmt.Sprintf("spec: a %s that is %s has no marker: nobody would notice where it is shown", v.Type(), class))
		}
	}
	switch v.Kind() {
	case reflect.Struct:
		r.fillStruct(v, class)
	case reflect.Pointer:
		if r.IntN(4) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			r.fill(v.Elem(), class)
		}
	case reflect.Slice:
		if class != "public" && v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes(r.bytes(class))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), r.IntN(4), 4))
		for i := range v.Len() {
			r.fill(v.Index(i), class)
		}
	case reflect.String:
		v.SetString(r.text(class))
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(r.IntN(1_000_000)))
	case reflect.Uint8:
		v.SetUint(uint64(r.IntN(256)))
	default:
		panic(fmt.Sprintf("spec: nothing random for a %s", v.Type()))
	}
}

func (r *Random) fillStruct(v reflect.Value, class string) {
	if domain.IsID(v.Type()) {
		one := reflect.ValueOf(id.New(At.Add(time.Duration(r.IntN(1_000_000_000)))))
		if v.Type() != one.Type() {
			v = v.Field(0)
		}
		v.Set(one)
		return
	}
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(At.Add(time.Duration(r.IntN(1_000_000)) * time.Second)))
		return
	}
	for i := range v.NumField() {
		inner := class
		if tag, is := v.Type().Field(i).Tag.Lookup(domain.PrivacyTag); is && class == "public" {
			inner, _, _ = strings.Cut(tag, ":")
		}
		r.fill(v.Field(i), inner)
	}
}

// bytes are marked in each way that they could be spelled.
func (r *Random) bytes(class string) []byte {
	text := []byte(r.text(class))
	markers := []string{base64.StdEncoding.EncodeToString(text), hex.EncodeToString(text)}
	if class == "personal" {
		r.Personal = append(r.Personal, markers...)
	} else {
		r.Secret = append(r.Secret, markers...)
	}
	return text
}

// text may need escapes. Public text is no marker, and none at all now and then.
func (r *Random) text(class string) string {
	r.said++
	marker := fmt.Sprintf("%s%08dmark", class, r.said)
	switch class {
	case "personal":
		r.Personal = append(r.Personal, marker)
	case "secret":
		r.Secret = append(r.Secret, marker)
	default:
		return []string{"", "lead", "a\"b\\c", "sealed:1:"}[r.IntN(4)]
	}
	return []string{"", "é<&>\u2028", `"\{[]}`}[r.IntN(3)] + marker
}
