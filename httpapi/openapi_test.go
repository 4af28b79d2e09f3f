package httpapi_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// description is openapi.json as far as answers are held against it.
type description struct {
	doc   map[string]any
	paths map[string]map[string]any // by "METHOD /pattern"

	// cut accepts objects that lack members, such as examples.
	cut bool

	mu   sync.Mutex
	seen map[string]map[int]bool // statuses by operation
}

// partly is the description for examples that are cut short.
func (d *description) partly() *description {
	return &description{doc: d.doc, paths: d.paths, cut: true}
}

func loadDescription(raw []byte) (*description, error) {
	d := &description{paths: map[string]map[string]any{}, seen: map[string]map[int]bool{}}
	if err := json.Unmarshal(raw, &d.doc); err != nil {
		return nil, err
	}
	for path, item := range d.doc["paths"].(map[string]any) {
		for method, op := range item.(map[string]any) {
			d.paths[strings.ToUpper(method)+" "+path] = op.(map[string]any)
		}
	}
	return d, nil
}

// operation finds what a request is called in the description.
func (d *description) operation(method, path string) (string, map[string]any) {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	path, _, _ = strings.Cut(path, "?")
	parts := strings.Split(strings.Trim(path, "/"), "/")
	best, bestFixed := "", -1
	for name := range d.paths {
		m, pattern, _ := strings.Cut(name, " ")
		want := strings.Split(strings.Trim(pattern, "/"), "/")
		if m != method || len(want) != len(parts) {
			continue
		}
		fixed := 0
		ok := true
		for i := range want {
			if !strings.HasPrefix(want[i], "{") {
				ok = ok && want[i] == parts[i]
				fixed++
			}
		}
		if ok && fixed > bestFixed {
			best, bestFixed = name, fixed
		}
	}
	return best, d.paths[best]
}

// check holds an answer against the description.
func (d *description) check(method, path string, a answer) error {
	name, op := d.operation(method, path)
	if op == nil {
		if a.StatusCode < 400 {
			return fmt.Errorf("%s %s answers %d but is not described", method, path, a.StatusCode)
		}
		return d.validate(map[string]any{"$ref": "#/components/schemas/Error"}, a.raw)
	}
	response, ok := op["responses"].(map[string]any)[strconv.Itoa(a.StatusCode)].(map[string]any)
	if !ok {
		return fmt.Errorf("%s answers %s, which is not described", name, a)
	}
	d.mu.Lock()
	if d.seen[name] == nil {
		d.seen[name] = map[int]bool{}
	}
	d.seen[name][a.StatusCode] = true
	d.mu.Unlock()
	if link, ok := response["$ref"].(string); ok {
		response = d.resolve(link)
	}
	if method == http.MethodHead {
		return nil
	}
	content := response["content"].(map[string]any)["application/json"].(map[string]any)
	if kind := a.Header.Get("Content-Type"); kind != "application/json; charset=utf-8" {
		return fmt.Errorf("%s has content type %q", name, kind)
	}
	if err := d.validate(content["schema"].(map[string]any), a.raw); err != nil {
		return fmt.Errorf("%s answers %s: %w", name, a, err)
	}
	return nil
}

func (d *description) resolve(link string) map[string]any {
	var at any = d.doc
	for part := range strings.SplitSeq(strings.TrimPrefix(link, "#/"), "/") {
		at = at.(map[string]any)[part]
	}
	return at.(map[string]any)
}

func (d *description) validate(schema map[string]any, raw []byte) error {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return err
	}
	return d.match(schema, v, "$")
}

// validateAs holds JSON against a named schema.
func (d *description) validateAs(name string, raw []byte) error {
	return d.validate(map[string]any{"$ref": "#/components/schemas/" + name}, raw)
}

// match knows the part of JSON Schema that the description uses.
func (d *description) match(schema map[string]any, v any, at string) error {
	if link, ok := schema["$ref"].(string); ok {
		return d.match(d.resolve(link), v, at)
	}
	if list, ok := schema["oneOf"].([]any); ok {
		var last error
		for _, s := range list {
			if last = d.match(s.(map[string]any), v, at); last == nil {
				return nil
			}
		}
		return fmt.Errorf("%s matches none: %w", at, last)
	}
	if want, ok := schema["const"]; ok && want != v {
		return fmt.Errorf("%s is %v, want %v", at, v, want)
	}
	if list, ok := schema["enum"].([]any); ok && !slices.Contains(list, v) {
		return fmt.Errorf("%s is %v, want one of %v", at, v, list)
	}
	if err := matchType(schema["type"], v, at); err != nil {
		return err
	}
	if format, _ := schema["format"].(string); format == "date-time" && v != nil {
		if _, err := time.Parse("2006-01-02T15:04:05.000Z", v.(string)); err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
	}
	switch v := v.(type) {
	case []any:
		for i, item := range v {
			if err := d.match(schema["items"].(map[string]any), item, at+"["+strconv.Itoa(i)+"]"); err != nil {
				return err
			}
		}
	case map[string]any:
		return d.matchObject(schema, v, at)
	}
	return nil
}

func matchType(want, v any, at string) error {
	names := []any{want}
	if list, ok := want.([]any); ok {
		names = list
	}
	got := "null"
	switch v := v.(type) {
	case string:
		got = "string"
	case bool:
		got = "boolean"
	case []any:
		got = "array"
	case map[string]any:
		got = "object"
	case float64:
		got = "number"
		if v == math.Trunc(v) && slices.Contains(names, any("integer")) {
			got = "integer"
		}
	}
	if want != nil && !slices.Contains(names, any(got)) {
		return fmt.Errorf("%s is %s, want %v", at, got, want)
	}
	return nil
}

func (d *description) matchObject(schema map[string]any, v map[string]any, at string) error {
	if required, ok := schema["required"].([]any); ok && !d.cut {
		for _, name := range required {
			if _, ok := v[name.(string)]; !ok {
				return fmt.Errorf("%s lacks %v", at, name)
			}
		}
	}
	props, _ := schema["properties"].(map[string]any)
	for name, value := range v {
		sub, ok := props[name].(map[string]any)
		if !ok {
			switch more := schema["additionalProperties"].(type) {
			case bool:
				if !more {
					return fmt.Errorf("%s has unknown member %s", at, name)
				}
				continue
			case map[string]any:
				sub = more
			default:
				continue
			}
		}
		if err := d.match(sub, value, at+"."+name); err != nil {
			return err
		}
	}
	return nil
}

func TestRoutesAreDescribed(t *testing.T) {
	w := newWorld(t, nil)
	routes := w.api.Routes()
	slices.Sort(routes)
	var described []string
	for name := range w.spec.paths {
		described = append(described, name)
	}
	slices.Sort(described)
	if !slices.Equal(routes, described) {
		t.Errorf("routes and description differ:\n%q\n%q", routes, described)
	}
	ids := map[string]bool{}
	for name, op := range w.spec.paths {
		id, _ := op["operationId"].(string)
		if id == "" || ids[id] || op["summary"] == "" {
			t.Errorf("%s has no operation id of its own, or no summary", name)
		}
		ids[id] = true
		_, pattern, _ := strings.Cut(name, " ")
		for part := range strings.SplitSeq(pattern, "/") {
			if !strings.HasPrefix(part, "{") {
				continue
			}
			if !slices.ContainsFunc(op["parameters"].([]any), func(p any) bool {
				m := p.(map[string]any)
				return m["in"] == "path" && "{"+m["name"].(string)+"}" == part
			}) {
				t.Errorf("%s does not describe %s", name, part)
			}
		}
	}
}
