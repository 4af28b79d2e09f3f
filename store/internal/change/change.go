// Package change holds what the stores of this module do alike with a
// [webconferencing.Change] before they write it: check it, and copy it so that
// nothing is shared with the caller and everything looks as if it had been
// read back from disk.
package change

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/webconferencing/webconferencing"
)

// The longest names in bytes. They keep every key of an index below the
// limits of the databases.
const (
	maxCallID = 1024
	maxName   = 4096
)

// Check returns all faults of a change that no store can write.
func Check(c *webconferencing.Change) error {
	if c == nil {
		return errors.New("change is nil")
	}
	var errs []error
	if c.Call == nil && c.Purge {
		errs = append(errs, errors.New("change purges no call"))
	}
	if c.Call != nil {
		errs = append(errs, checkName("call id", string(c.Call.ID), maxCallID))
		for _, k := range c.Keys {
			errs = append(errs, checkName("index key", k, maxName))
		}
	}
	seen := make(map[string]bool, len(c.Values))
	for i := range c.Values {
		k := c.Values[i].Key
		errs = append(errs, checkName("value key", k, maxName))
		if seen[k] {
			errs = append(errs, fmt.Errorf("value %q is written twice", k))
		}
		seen[k] = true
	}
	var last []webconferencing.Topic
	for i := range c.Events {
		topics := c.Events[i].Topics
		if SameTopics(topics, last) {
			continue
		}
		last = topics
		for _, topic := range topics {
			errs = append(errs, checkName("topic", string(topic), maxName))
		}
	}
	return errors.Join(errs...)
}

func checkName(what, s string, most int) error {
	switch {
	case s == "":
		return fmt.Errorf("%s is empty", what)
	case len(s) > most:
		return fmt.Errorf("%s has %d bytes, more than %d", what, len(s), most)
	}
	return nil
}

// SameTopics tells whether two lists are equal. Lists that share their memory,
// as those of the events of one command usually do, are compared at once.
func SameTopics(a, b []webconferencing.Topic) bool {
	if len(a) != len(b) {
		return false
	}
	if len(a) == 0 || &a[0] == &b[0] {
		return true
	}
	return slices.Equal(a, b)
}

// Time returns t in UTC without a monotonic reading.
func Time(t time.Time) time.Time { return t.Round(0).UTC() }

// Call returns a copy of c as a store hands it out: times in UTC, empty lists
// nil. What there is to do is found by looking at the types, so that a field
// that is added later is not forgotten here.
func Call(c *webconferencing.Call) *webconferencing.Call {
	d := c.Clone()
	tidy(reflect.ValueOf(d).Elem(), callPlan)
	return d
}

// plan says which fields of a struct hold something to tidy: times, lists, and
// structs with such fields.
type plan []step

type step struct {
	field  int
	within plan // of a struct, or of the structs in a list
}

var (
	timeType = reflect.TypeFor[time.Time]()
	callPlan = planFor(reflect.TypeFor[webconferencing.Call]())
)

func planFor(t reflect.Type) plan {
	var p plan
	for i := range t.NumField() {
		f := t.Field(i).Type
		switch {
		case f == timeType:
			p = append(p, step{field: i})
		case f.Kind() == reflect.Struct:
			if within := planFor(f); len(within) > 0 {
				p = append(p, step{i, within})
			}
		case f.Kind() == reflect.Slice:
			s := step{field: i}
			if e := f.Elem(); e.Kind() == reflect.Struct && e != timeType {
				s.within = planFor(e)
			}
			p = append(p, s)
		}
	}
	return p
}

func tidy(v reflect.Value, p plan) {
	for _, s := range p {
		f := v.Field(s.field)
		switch f.Kind() {
		case reflect.Slice:
			if f.Len() == 0 {
				f.SetZero()
				continue
			}
			if len(s.within) > 0 {
				for n := range f.Len() {
					tidy(f.Index(n), s.within)
				}
			}
		case reflect.Struct:
			if len(s.within) > 0 {
				tidy(f, s.within)
				continue
			}
			t := f.Addr().Interface().(*time.Time)
			*t = Time(*t)
		}
	}
}

// Events returns a deep copy of the events. Neighbours with equal topics share
// one list.
func Events(events []webconferencing.Event) []webconferencing.Event {
	if len(events) == 0 {
		return nil
	}
	out := make([]webconferencing.Event, len(events))
	for i, e := range events {
		e.Time = Time(e.Time)
		e.Data = json.RawMessage(orNil(slices.Clone([]byte(e.Data))))
		if i > 0 && SameTopics(e.Topics, events[i-1].Topics) {
			e.Topics = out[i-1].Topics
		} else {
			e.Topics = orNil(slices.Clone(e.Topics))
		}
		out[i] = e
	}
	return out
}

// Keys returns the index keys sorted and each once.
func Keys(keys []string) []string {
	out := slices.Clone(keys)
	slices.Sort(out)
	return slices.Compact(out)
}

func orNil[T any](s []T) []T {
	if len(s) == 0 {
		return nil
	}
	return s
}
