package link

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// template is an address in pieces: texts, and the names of values between
// them.
type template struct {
	texts []string // one more than names
	names []string
	// inPath is how many of the values stand in the path; those after them are
	// in the query or fragment and are escaped differently.
	inPath     int
	host       string // scheme and host
	beforeRoom string // the constant text before {room}; "" if there is none
}

func parseTemplate(address string) (template, error) {
	var t template
	rest, query := address, false
	for {
		text, after, found := strings.Cut(rest, "{")
		t.texts = append(t.texts, text)
		query = query || strings.ContainsAny(text, "?#")
		if !found {
			break
		}
		name, after, closed := strings.Cut(after, "}")
		if !closed || !slices.Contains([]string{"room", "user", "name", "title"}, name) {
			return t, fmt.Errorf("address: {%s is none of {room}, {user}, {name} and {title}", name)
		}
		if !query {
			t.inPath++
		}
		t.names, rest = append(t.names, name), after
	}
	u, err := checkURL(t.fill(map[string]string{"room": "x", "user": "x", "name": "x", "title": "x"}))
	if err != nil {
		return t, err
	}
	t.host = u.Scheme + "://" + u.Host
	if len(t.names) > 0 && !strings.HasPrefix(t.texts[0], t.host+"/") {
		return t, fmt.Errorf("address: the host must be followed by / and not depend on a value")
	}
	if len(t.names) > 0 && t.names[0] == "room" {
		t.beforeRoom = t.texts[0]
	}
	return t, nil
}

// fill puts values in. In the path a name must not become a segment of its own
// meaning, so "." and ".." do not stay as they are.
func (t template) fill(values map[string]string) string {
	var b strings.Builder
	for i, name := range t.names {
		b.WriteString(t.texts[i])
		switch v := values[name]; {
		case i >= t.inPath:
			b.WriteString(strings.ReplaceAll(url.QueryEscape(v), "+", "%20"))
		case v == "." || v == "..":
			b.WriteString(strings.Repeat("_", len(v)))
		default:
			b.WriteString(url.PathEscape(v))
		}
	}
	b.WriteString(t.texts[len(t.texts)-1])
	return b.String()
}
