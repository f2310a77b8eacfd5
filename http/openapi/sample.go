package openapi

import (
	"reflect"
	"slices"
	"time"
)

type typed = reflect.Type

var timeType = reflect.TypeFor[time.Time]()

// sample makes a value of a type that has one of everything: whatever wraps it can be seen by what it makes of it.
// Types that hold themselves end where they begin again.
func sample(t typed, within []typed) reflect.Value {
	v := reflect.New(t).Elem()
	if slices.Contains(within, t) || t == timeType {
		return v
	}
	within = append(slices.Clip(within), t)
	switch t.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(t.Elem()))
		v.Elem().Set(sample(t.Elem(), within))
	case reflect.Slice:
		v.Set(reflect.Append(v, sample(t.Elem(), within)))
	case reflect.Struct:
		for i := range t.NumField() {
			if v.Field(i).CanSet() {
				v.Field(i).Set(sample(t.Field(i).Type, within))
			}
		}
	}
	return v
}
