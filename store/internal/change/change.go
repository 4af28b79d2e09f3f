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
	tidy(reflect.ValueOf(d).Elem())
	return d
}

func tidy(v reflect.Value) {
	if t, ok := v.Addr().Interface().(*time.Time); ok {
		*t = Time(*t)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for _, i := range untidy(v.Type()) {
			tidy(v.Field(i))
		}
	case reflect.Slice:
		if v.Len() == 0 {
			v.SetZero()
			return
		}
		if v.Type().Elem().Kind() != reflect.Struct {
			return
		}
		fields := untidy(v.Type().Elem())
		for n := range v.Len() {
			for _, i := range fields {
				tidy(v.Index(n).Field(i))
			}
		}
	}
}

// untidy returns the fields of a struct type that can hold something to tidy.
func untidy(t reflect.Type) []int {
	var fields []int
	for i := range t.NumField() {
		switch f := t.Field(i).Type; f.Kind() {
		case reflect.Slice:
			fields = append(fields, i)
		case reflect.Struct:
			if f == reflect.TypeFor[time.Time]() || len(untidy(f)) > 0 {
				fields = append(fields, i)
			}
		}
	}
	return fields
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
