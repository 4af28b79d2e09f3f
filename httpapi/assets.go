package httpapi

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"sync"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/httpapi/webclient"
)

// maxAssets bounds what one file system of assets may hold, since all of it is
// kept in memory.
const maxAssets = 64 << 20

// asset is one file, ready to be sent.
type asset struct {
	body []byte
	kind string // content type
	etag string
}

// assets are the files of the browser client and of the providers' modules.
// Only names in the index are served, so no path can lead elsewhere.
type assets struct {
	providers *webconferencing.Registry
	client    map[string]asset

	mu      sync.Mutex
	modules map[string]module // by type
}

// module is a provider's browser module.
type module struct {
	entry string // "" if there is none that could be served
	files map[string]asset
}

func loadAssets(providers *webconferencing.Registry) (*assets, error) {
	files, err := indexAssets(webclient.Files)
	if err != nil {
		return nil, fmt.Errorf("httpapi: client assets: %w", err)
	}
	return &assets{providers: providers, client: files, modules: make(map[string]module)}, nil
}

// indexAssets reads all regular files.
func indexAssets(files fs.FS) (map[string]asset, error) {
	index := make(map[string]asset)
	total := int64(0)
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		f, err := files.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		body, err := io.ReadAll(io.LimitReader(f, maxAssets-total+1))
		if err != nil {
			return err
		}
		if total += int64(len(body)); total > maxAssets {
			return errors.New("more than 64 MiB")
		}
		sum := sha256.Sum256(body)
		index[name] = asset{body: body, kind: contentType(name), etag: `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`}
		return nil
	})
	return index, err
}

// contentType is fixed by the name, so that no platform's registry and no
// content can change it. What is not known is not shown by browsers.
func contentType(name string) string {
	switch strings.ToLower(path.Ext(name)) {
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".json", ".map":
		return "application/json; charset=utf-8"
	case ".html":
		return "text/html; charset=utf-8"
	case ".txt", ".ts", ".md":
		return "text/plain; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".png":
		return "image/png"
	case ".ico":
		return "image/x-icon"
	case ".webp":
		return "image/webp"
	case ".woff2":
		return "font/woff2"
	case ".wasm":
		return "application/wasm"
	case ".mp3":
		return "audio/mpeg"
	case ".ogg":
		return "audio/ogg"
	case ".wav":
		return "audio/wav"
	}
	return "application/octet-stream"
}

// ofProvider returns the module of a provider that has one.
func (s *assets) ofProvider(typ string) (module, bool) {
	p, ok := s.providers.Lookup(typ)
	if !ok {
		return module{}, false
	}
	brings, ok := p.(webconferencing.ClientModule)
	if !ok {
		return module{}, false
	}
	s.mu.Lock()
	m, ok := s.modules[typ]
	s.mu.Unlock()
	if ok {
		return m, m.entry != ""
	}
	// Read by whoever comes first, and perhaps by a second one meanwhile: no
	// lock is held while the provider is asked.
	m = readModule(brings)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.modules[typ] = m
	return m, m.entry != ""
}

// readModule returns a provider's files, nothing if they can't be read or the
// entry is not among them.
func readModule(p webconferencing.ClientModule) module {
	entry, files := p.ClientModule()
	if files == nil {
		return module{}
	}
	entry = strings.TrimPrefix(path.Clean("/"+entry), "/")
	index, err := indexAssets(files)
	if _, found := index[entry]; err != nil || !found {
		return module{}
	}
	return module{entry: entry, files: index}
}

// module returns where a provider's module is, relative to the client assets;
// "" if it has none.
func (s *assets) module(typ string) string {
	m, ok := s.ofProvider(typ)
	if !ok {
		return ""
	}
	return "connector/" + typ + "/" + (&url.URL{Path: m.entry}).EscapedPath()
}

// find returns the file of an unescaped path.
func (s *assets) find(name string) (asset, bool) {
	if rest, ok := strings.CutPrefix(name, "connector/"); ok {
		typ, file, _ := strings.Cut(rest, "/")
		if m, ok := s.ofProvider(typ); ok {
			f, ok := m.files[file]
			return f, ok
		}
	}
	f, ok := s.client[name]
	return f, ok
}

// Client returns the handler of the browser client's files, and of the
// providers' modules under connector/{type}/. Anybody may read them. The host
// strips the prefix as for [API.REST].
func (a *API) Client() http.Handler {
	return a.guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refuse := func(e *statusError) { a.answerError(w, &request{Request: r, attempt: newAttempt(r)}, e) }
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			e := clientStatus(http.StatusMethodNotAllowed, "method_not_allowed", "files can only be read")
			e.allow = "GET, HEAD"
			refuse(e)
			return
		}
		f, ok := a.assets.find(strings.TrimPrefix(r.URL.Path, "/"))
		if !ok {
			refuse(&statusError{status: http.StatusNotFound, code: wireNotFoundError, message: "there is no such file"})
			return
		}
		f.serve(w, r)
	}))
}

// serve sends the file. Names carry no hash, so browsers are told to ask each
// time, which costs them a 304.
func (f asset) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("ETag", f.etag)
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	for tag := range strings.SplitSeq(r.Header.Get("If-None-Match"), ",") {
		if tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/"); tag == f.etag || tag == "*" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	h.Set("Content-Type", f.kind)
	h.Set("Content-Length", strconv.Itoa(len(f.body)))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(f.body) // the client is gone, there is nobody to tell
	}
}
