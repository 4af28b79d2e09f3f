// Package layering keeps the imports of this module pointing downwards:
// examples use httpapi, httpapi uses the root, the root uses the standard
// library and two small modules. It has tests only.
package layering_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/webconferencing/webconferencing"

// Modules that packages may depend on.
const (
	uuid      = "github.com/google/uuid"
	xsync     = "golang.org/x/sync"
	xsys      = "golang.org/x/sys"           // bbolt's
	websocket = "github.com/coder/websocket" // of tests only
	bbolt     = "go.etcd.io/bbolt"
	tint      = "github.com/lmittmann/tint"
	rapid     = "pgregory.net/rapid"
)

// direct are the only modules that go.mod may require directly.
var direct = []string{uuid, xsync, websocket, bbolt, tint, rapid}

// server are packages that something without a server has no business with.
var server = []string{"net/http/...", "database/sql", "testing/..."}

// A layer says what its packages may depend on, directly or through others.
// The tests of a package are not counted.
type layer struct {
	// packages are folders of this module; "x/..." is x and all below it.
	// The first layer that has a package counts.
	packages []string
	// own are the folders of this module that may be used, besides the
	// package itself; the same patterns.
	own []string
	// modules are the other modules that may be used.
	modules []string
	// never are packages of the standard library that must not be used.
	never []string
}

var layers = []layer{
	{
		packages: []string{"."},
		own:      []string{"internal/..."},
		modules:  []string{uuid, xsync},
		never:    server,
	},
	{packages: []string{"internal/tools/...", "internal/layering"}},
	{
		packages: []string{"internal/..."},
		own:      []string{"internal/..."},
		never:    []string{"net/http/...", "database/sql"},
	},
	// Suites of tests that hosts run against their own adapters.
	{
		packages: []string{"connector/connectortest"},
		own:      []string{".", "store/memstore", "store/internal/...", "internal/..."},
		modules:  []string{uuid, xsync},
		never:    []string{"net/http", "database/sql"},
	},
	// Reading of settings, for hosts and connectors.
	{
		packages: []string{"config"},
		never:    append([]string{"net"}, server...),
	},
	{
		packages: []string{"store/storetest", "pubsub/pubsubtest"},
		own:      []string{".", "store/internal/...", "store/faultstore", "internal/..."},
		modules:  []string{uuid, xsync, rapid},
		never:    []string{"net/http", "database/sql"},
	},
	{
		packages: []string{"store/boltstore"},
		own:      []string{".", "store/internal/...", "internal/..."},
		modules:  []string{uuid, xsync, bbolt, xsys},
		never:    server,
	},
	{
		packages: []string{"store/...", "pubsub/..."},
		own:      []string{".", "store/internal/...", "internal/..."},
		modules:  []string{uuid, xsync},
		never:    server,
	},
	// Programs that browser tests drive are hosts.
	{
		packages: []string{"connector/jitsi/internal/demoportal"},
		own:      []string{".", "config", "httpapi/...", "store/...", "connector/jitsi/...", "internal/..."},
		modules:  []string{uuid, xsync},
		never:    []string{"testing/..."},
	},
	// Connectors may talk to their server over HTTP and receive its webhooks.
	{
		packages: []string{"connector/..."},
		own:      []string{".", "config", "connector/...", "internal/..."},
		modules:  []string{uuid, xsync},
		never:    []string{"database/sql", "testing/..."},
	},
	{
		packages: []string{"httpapi/bayeux/interop/..."},
		own:      []string{"httpapi/bayeux/..."},
		never:    []string{"database/sql", "testing/..."},
	},
	{
		packages: []string{"httpapi/bayeux/..."},
		own:      []string{"httpapi/bayeux/internal/..."},
		never:    []string{"database/sql", "testing/..."},
	},
	{
		packages: []string{"httpapi/webclient"},
		never:    server,
	},
	{
		packages: []string{"httpapi/..."},
		own:      []string{".", "httpapi/...", "internal/..."},
		modules:  []string{uuid, xsync},
		never:    []string{"database/sql", "testing/..."},
	},
	{
		packages: []string{"examples/..."},
		own:      []string{".", "httpapi/...", "store/...", "pubsub/...", "connector/...", "config", "examples/...", "internal/..."},
		modules:  []string{uuid, xsync, bbolt, xsys, tint},
		never:    []string{"testing/..."},
	},
}

type pkg struct {
	ImportPath string
	Deps       []string
	Standard   bool
	Module     *struct{ Path string }
}

// list returns all packages of this module and everything they depend on.
func list(t *testing.T) map[string]pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=ImportPath,Deps,Standard,Module", module+"/...")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	found := make(map[string]pkg)
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return found
		} else if err != nil {
			t.Fatal(err)
		}
		found[p.ImportPath] = p
	}
}

// matches tells whether a path is one of the patterns.
func matches(path string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		below, all := strings.CutSuffix(pattern, "/...")
		return path == below || all && strings.HasPrefix(path, below+"/")
	})
}

// folder is a package's folder in this module.
func folder(importPath string) (string, bool) {
	if importPath == module {
		return ".", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

// faults returns why a package of this module may not be as it is.
func faults(p pkg, all map[string]pkg) []string {
	dir, _ := folder(p.ImportPath)
	i := slices.IndexFunc(layers, func(l layer) bool { return matches(dir, l.packages) })
	if i < 0 {
		return []string{"belongs to no layer, say in this test what it may use"}
	}
	var found []string
	for _, dep := range p.Deps {
		d := all[dep]
		own, isOwn := folder(dep)
		switch {
		case isOwn && !matches(own, layers[i].own):
			found = append(found, "uses "+own+" of this module")
		case d.Standard && matches(dep, layers[i].never):
			found = append(found, "uses "+dep+" of the standard library")
		case !isOwn && d.Module != nil && !slices.Contains(layers[i].modules, d.Module.Path):
			found = append(found, fmt.Sprintf("uses %s of module %s", dep, d.Module.Path))
		}
	}
	return found
}

func TestImportsPointDownwards(t *testing.T) {
	all := list(t)
	checked := 0
	for path, p := range all {
		dir, own := folder(path)
		if !own {
			continue
		}
		checked++
		for _, fault := range faults(p, all) {
			t.Errorf("%s %s", dir, fault)
		}
	}
	if checked < 5 {
		t.Errorf("only %d packages of this module were found", checked)
	}
}

// TestFaultsAreFound shows that the rules above can fail.
func TestFaultsAreFound(t *testing.T) {
	other := &struct{ Path string }{"example.com/other"}
	all := map[string]pkg{
		"net/http":          {ImportPath: "net/http", Standard: true},
		"net/http/httptest": {ImportPath: "net/http/httptest", Standard: true},
		"database/sql":      {ImportPath: "database/sql", Standard: true},
		"example.com/other": {ImportPath: "example.com/other", Module: other},
		bbolt:               {ImportPath: bbolt, Module: &struct{ Path string }{bbolt}},
	}
	for path, deps := range map[string][]string{
		module:                                  {"net/http", "net/http/httptest", "database/sql", bbolt, module + "/httpapi", module + "/store/boltstore"},
		module + "/store/memstore":              {bbolt, module + "/httpapi", module + "/store/boltstore"},
		module + "/store/boltstore":             {"net/http", module + "/httpapi/bayeux", module + "/examples/portal"},
		module + "/connector/webrtc":            {module + "/httpapi", module + "/store/memstore", "example.com/other"},
		module + "/httpapi/bayeux":              {module, module + "/httpapi", module + "/internal/wire"},
		module + "/httpapi":                     {module + "/store/boltstore", module + "/connector/webrtc", bbolt},
		module + "/examples/portal":             {"example.com/other"},
		module + "/a/package/nobody/thought/of": {"fmt"},
	} {
		want := len(deps)
		if got := faults(pkg{ImportPath: path, Deps: deps}, all); len(got) != want {
			t.Errorf("%s: found %q, want %d faults", path, got, want)
		}
	}
}

func TestDirectDependenciesAreFew(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "mod", "edit", "-json", "../../go.mod").Output()
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Require []struct {
			Path     string
			Indirect bool
		}
	}
	if err := json.Unmarshal(out, &file); err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, m := range file.Require {
		if m.Indirect {
			continue
		}
		count++
		if !slices.Contains(direct, m.Path) {
			t.Errorf("go.mod requires %s, which is not among %s", m.Path, strings.Join(direct, ", "))
		}
	}
	if count == 0 || count > 6 {
		t.Errorf("go.mod has %d direct dependencies, want 1 to 6", count)
	}
}
