// Package config reads settings from properties and the environment, in the
// form that people who come from eXo know:
//
//	webconferencing.jitsi.url=https://${JITSI_HOST:meet.example.org}/
//	webconferencing.jitsi.secret=${JITSI_SECRET}
//
// A [Values] holds the properties; [Values.Fill] puts them into a struct of
// options. What is missing, empty or wrong is an error that names the key, and
// all faults are reported at once. Values are never part of an error, since any
// of them may be a secret.
package config

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

const (
	maxDepth = 16
	maxValue = 1 << 20
)

// Values are settings by key, with placeholders in them. The zero value is
// empty and ready for use. It must not be changed while it is read.
type Values struct {
	raw    map[string]string
	lookup func(string) (string, bool)
}

// New returns values out of a map. Placeholders are looked up among the values
// themselves, then in the environment by lookup, first as they are and then as
// variables are named: "jitsi.app-id" as JITSI_APP_ID. Nil is [os.LookupEnv].
func New(values map[string]string, lookup func(string) (string, bool)) *Values {
	if lookup == nil {
		lookup = os.LookupEnv
	}
	return &Values{raw: maps.Clone(values), lookup: lookup}
}

// Read returns values out of properties as Java writes them, see
// [ParseProperties].
func Read(r io.Reader, lookup func(string) (string, bool)) (*Values, error) {
	props, err := ParseProperties(r)
	if err != nil {
		return nil, err
	}
	return New(props, lookup), nil
}

// ReadFile is Read for a file.
func ReadFile(name string, lookup func(string) (string, bool)) (*Values, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	defer f.Close()
	v, err := Read(f, lookup)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return v, nil
}

// Keys returns the keys that begin with a prefix, sorted.
func (v *Values) Keys(prefix string) []string {
	var keys []string
	for _, k := range slices.Sorted(maps.Keys(v.raw)) {
		if strings.HasPrefix(k, prefix) {
			keys = append(keys, k)
		}
	}
	return keys
}

// Lookup returns the value of a key with its placeholders resolved, and
// whether there is one: among the values or in the environment.
func (v *Values) Lookup(key string) (string, bool, error) {
	text, ok := v.get(key)
	if !ok {
		return "", false, nil
	}
	text, err := v.expand(text, []string{key})
	if err != nil {
		return "", true, fmt.Errorf("config: %s: %w", key, err)
	}
	return text, true, nil
}

// Required returns the value of a key that must be there and not empty.
func (v *Values) Required(key string) (string, error) {
	text, ok, err := v.Lookup(key)
	switch {
	case err != nil:
		return "", err
	case !ok:
		return "", fmt.Errorf("config: %s is missing", key)
	case strings.TrimSpace(text) == "":
		return "", fmt.Errorf("config: %s is empty", key)
	}
	return text, nil
}

// Map returns all values whose keys begin with a prefix, without the prefix
// and with their placeholders resolved.
func (v *Values) Map(prefix string) (map[string]string, error) {
	m := make(map[string]string)
	var faults []error
	for _, key := range v.Keys(prefix) {
		text, _, err := v.Lookup(key)
		faults = append(faults, err)
		m[strings.TrimPrefix(key, prefix)] = text
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return m, nil
}

// get looks a name up among the values and in the environment.
func (v *Values) get(name string) (string, bool) {
	if text, ok := v.raw[name]; ok {
		return text, true
	}
	if v.lookup == nil {
		return "", false
	}
	if text, ok := v.lookup(name); ok {
		return text, true
	}
	return v.lookup(variable(name))
}

// variable is how a key is called in the environment.
func variable(key string) string {
	return strings.ToUpper(strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
			return c
		}
		return '_'
	}, key))
}
