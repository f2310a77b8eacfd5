package spec

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// breaks is what a consumer of the schema that was would trip over in the one that is: anything but further fields that
// may be left out. What only tells people something may change.
func breaks(path string, was, is map[string]any) (all []string) {
	for _, word := range keys(was, is) {
		switch word {
		case "title", "description":
		case "properties":
			all = append(all, fields(path, inner(was, word), inner(is, word))...)
		case "required":
			all = append(all, required(path, was, is)...)
		default:
			all = append(all, other(path, word, was[word], is[word])...)
		}
	}
	return all
}

func fields(path string, was, is map[string]any) (all []string) {
	for _, name := range slices.Sorted(maps.Keys(was)) {
		if is[name] == nil {
			all = append(all, path+name+" is gone")
		} else {
			all = append(all, breaks(path+name+".", inner(was, name), inner(is, name))...)
		}
	}
	return all
}

func required(path string, was, is map[string]any) (all []string) {
	before, now := words(was["required"]), words(is["required"])
	for _, name := range before {
		if !slices.Contains(now, name) {
			all = append(all, path+name+" may be left out now")
		}
	}
	for _, name := range now {
		if !slices.Contains(before, name) {
			all = append(all, path+name+" must be there now")
		}
	}
	return all
}

func other(path, word string, was, is any) []string {
	before, ok1 := was.(map[string]any)
	now, ok2 := is.(map[string]any)
	if ok1 && ok2 {
		return breaks(path+word+".", before, now)
	}
	if reflect.DeepEqual(was, is) {
		return nil
	}
	return []string{fmt.Sprintf("%s: %s was %v and is %v", strings.TrimSuffix(path, "."), word, was, is)}
}

func keys(objects ...map[string]any) []string {
	all := map[string]bool{}
	for _, o := range objects {
		for k := range o {
			all[k] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

func inner(o map[string]any, name string) map[string]any {
	in, _ := o[name].(map[string]any)
	return in
}

func words(list any) (all []string) {
	some, _ := list.([]any)
	for _, w := range some {
		all = append(all, fmt.Sprint(w))
	}
	return all
}
