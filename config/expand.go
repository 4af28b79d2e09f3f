package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

var errUnclosed = errors.New("a placeholder is not closed by }")

// Expand replaces the placeholders of a text: ${name} by the value of name, or
// ${name:default} by the default if there is none or it is empty. Both parts
// may have placeholders themselves. "$${" stands for "${".
func (v *Values) Expand(text string) (string, error) {
	text, err := v.expand(text, nil)
	if err != nil {
		return "", fmt.Errorf("config: %w", err)
	}
	return text, nil
}

// expand keeps the names that are being resolved, so that a circle is found.
func (v *Values) expand(text string, open []string) (string, error) {
	if len(open) > maxDepth {
		return "", errors.New("placeholders are nested too deeply")
	}
	var b strings.Builder
	for {
		at := strings.Index(text, "${")
		if at < 0 {
			b.WriteString(text)
			break
		}
		if at > 0 && text[at-1] == '$' {
			b.WriteString(text[:at-1] + "${")
			text = text[at+2:]
			continue
		}
		end := closing(text[at+2:])
		if end < 0 {
			return "", errUnclosed
		}
		value, err := v.placeholder(text[at+2:at+2+end], open)
		if err != nil {
			return "", err
		}
		b.WriteString(text[:at] + value)
		text = text[at+2+end+1:]
		if b.Len() > maxValue {
			return "", errors.New("the value is too long")
		}
	}
	return b.String(), nil
}

// closing finds the brace that closes a placeholder, -1 if there is none.
func closing(text string) int {
	depth := 0
	for i := range len(text) {
		switch {
		case text[i] == '{' && i > 0 && text[i-1] == '$':
			depth++
		case text[i] == '}' && depth > 0:
			depth--
		case text[i] == '}':
			return i
		}
	}
	return -1
}

// placeholder resolves what stands between ${ and }.
func (v *Values) placeholder(inner string, open []string) (string, error) {
	name, def, hasDefault := cut(inner)
	name, err := v.expand(name, append(slices.Clip(open), ""))
	if err != nil {
		return "", err
	}
	name = strings.TrimSpace(name)
	if name == "" {
		return "", errors.New("a placeholder has no name")
	}
	if slices.Contains(open, name) {
		return "", fmt.Errorf("%s refers to itself", name)
	}
	if text, ok := v.get(name); ok {
		text, err := v.expand(text, append(slices.Clip(open), name))
		if err != nil || text != "" || !hasDefault {
			return text, err
		}
	}
	if !hasDefault {
		return "", fmt.Errorf("%s is missing", name)
	}
	return v.expand(def, append(slices.Clip(open), ""))
}

// cut splits at the first colon that is not within an inner placeholder.
func cut(inner string) (name, def string, found bool) {
	depth := 0
	for i := range len(inner) {
		switch {
		case inner[i] == '{' && i > 0 && inner[i-1] == '$':
			depth++
		case inner[i] == '}' && depth > 0:
			depth--
		case inner[i] == ':' && depth == 0:
			return inner[:i], inner[i+1:], true
		}
	}
	return inner, "", false
}
