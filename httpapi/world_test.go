package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/httpapi"
	"github.com/webconferencing/webconferencing/store/memstore"
)

// directory is a small portal.
type directory struct {
	mu       sync.Mutex
	presence map[webconferencing.UserID]webconferencing.Presence
	gone     map[webconferencing.UserID]bool // of the space product_team
	fail     error
	asked    atomic.Int64
}

var people = map[webconferencing.UserID]string{
	"mary": "Mary Williams", "john": "John Smith", "james": "James Davis", "jack": "Jack <b>Miller</b>", "root": "Root Root", "eve": "Eve Other",
}

func (d *directory) User(_ context.Context, id webconferencing.UserID) (*webconferencing.User, error) {
	d.asked.Add(1)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fail != nil {
		return nil, d.fail
	}
	name, ok := people[id]
	if !ok {
		return nil, webconferencing.ErrNotFound
	}
	first, last, _ := strings.Cut(name, " ")
	return &webconferencing.User{
		ID: id, FirstName: first, LastName: last, AvatarLink: "/avatar/" + string(id) + "?v=1", ProfileLink: "/profile/" + string(id),
		IMAccounts: map[string][]webconferencing.IMAccount{"skype": {{Type: "skype", ID: string(id) + ".s"}}},
	}, nil
}

func (d *directory) Group(_ context.Context, ref webconferencing.Ref) (*webconferencing.Group, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fail != nil {
		return nil, d.fail
	}
	g := &webconferencing.Group{Ref: ref, AvatarLink: "/avatar/" + ref.ID + "?v=1", ProfileLink: "/" + ref.ID}
	switch ref.ID {
	case "product_team", "/spaces/product_team", "42":
		g.Ref.ID, g.Title, g.GroupID = "product_team", "Product Team", "/spaces/product_team"
		for _, id := range []webconferencing.UserID{"mary", "john", "james"} {
			if !d.gone[id] {
				g.Members = append(g.Members, id)
			}
		}
	case "sales_team", "/spaces/sales_team":
		g.Ref.ID, g.Title, g.GroupID, g.Members = "sales_team", "Sales Team", "/spaces/sales_team", []webconferencing.UserID{"james", "jack"}
	case "team-welcome":
		g.Title, g.Members = "Welcome", []webconferencing.UserID{"mary", "john", "jack"}
	default:
		return nil, webconferencing.ErrNotFound
	}
	if (ref.Type == webconferencing.OwnerChatRoom) != (ref.ID == "team-welcome") {
		return nil, webconferencing.ErrNotFound
	}
	return g, nil
}

func (d *directory) Search(_ context.Context, _ webconferencing.UserID, text string, _ int) ([]webconferencing.Identity, error) {
	var found []webconferencing.Identity
	for id, name := range people {
		if strings.Contains(strings.ToLower(name), strings.ToLower(text)) {
			found = append(found, webconferencing.Identity{ID: string(id), DisplayName: name, AvatarLink: "/a?v=1"})
		}
	}
	return append(found, webconferencing.Identity{ID: "/spaces/product_team", DisplayName: "Product Team", Group: true}), nil
}

func (d *directory) Presence(_ context.Context, id webconferencing.UserID) (webconferencing.Presence, error) {
	if _, ok := people[id]; !ok {
		return "", webconferencing.ErrNotFound
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if p, ok := d.presence[id]; ok {
		return p, nil
	}
	return webconferencing.Available, nil
}

// provider is a call provider with every capability.
type provider struct {
	info webconferencing.ProviderInfo
	join func(webconferencing.JoinRequest) (*webconferencing.Grant, error)
}

func (p *provider) Info() webconferencing.ProviderInfo { return p.info }

func (p *provider) Join(_ context.Context, r webconferencing.JoinRequest) (*webconferencing.Grant, error) {
	if p.join == nil {
		return nil, nil
	}
	return p.join(r)
}

func (p *provider) ClientSettings(_ context.Context, by webconferencing.Actor) (map[string]any, error) {
	return map[string]any{"for": string(by.User)}, nil
}

func (p *provider) ClientModule() (string, fs.FS) {
	return "main.js", fstest.MapFS{
		"main.js": {Data: []byte("export default 1;\n")}, "lib/a.css": {Data: []byte("a{}")}, "x.unknown": {Data: []byte("<script>")},
	}
}

// world is a portal with everything in it, reached over pipes.
type world struct {
	t     *testing.T
	dir   *directory
	rtc   *provider
	svc   *webconferencing.Service
	api   *httpapi.API
	auth  *authenticator
	pipes *pipes
	spec  *description
	stop  func()
	taken atomic.Int32 // connections that left net/http
}

// authenticator takes the user from a cookie, which tests can take away.
type authenticator struct {
	mu    sync.Mutex
	fails error
	boom  bool
	out   map[string]bool
}

func (a *authenticator) Authenticate(r *http.Request) (webconferencing.Actor, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.boom {
		panic("authenticator")
	}
	if a.fails != nil {
		return webconferencing.Actor{}, a.fails
	}
	c, err := r.Cookie("user")
	if err != nil || a.out[c.Value] {
		return webconferencing.Actor{}, fmt.Errorf("no session: %w", httpapi.ErrUnauthenticated)
	}
	return webconferencing.Actor{User: webconferencing.UserID(c.Value), Admin: c.Value == "root"}, nil
}

func (a *authenticator) set(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f()
}

const restPath = "/portal/rest/webconferencing"

func newWorld(t *testing.T, opts *httpapi.Options) *world {
	t.Helper()
	return newWorldWith(t, opts, nil)
}

func newWorldWith(t *testing.T, opts *httpapi.Options, svcOpts *webconferencing.Options) *world {
	t.Helper()
	return newNode(t, memstore.New(), opts, svcOpts)
}

// newNode is a process of a portal; those that share a store make up one portal.
func newNode(t *testing.T, store webconferencing.Store, opts *httpapi.Options, svcOpts *webconferencing.Options) *world {
	t.Helper()
	w := &world{
		t: t, pipes: newPipes(),
		dir:  &directory{presence: map[webconferencing.UserID]webconferencing.Presence{}, gone: map[webconferencing.UserID]bool{}},
		auth: &authenticator{out: map[string]bool{}},
		rtc: &provider{info: webconferencing.ProviderInfo{
			Type: "rtc", SupportedTypes: []string{"rtc", "rtc_plus"}, Title: "RTC", Groups: true,
			Descriptions: map[string]string{"en": "Calls", "fr": "Appels"}, Version: "1",
		}},
	}
	var so webconferencing.Options
	if svcOpts != nil {
		so = *svcOpts
	}
	so.Debug = true
	so.Providers = append([]webconferencing.Provider{
		w.rtc, &provider{info: webconferencing.ProviderInfo{Type: "link", Title: "Link"}},
		&provider{info: webconferencing.ProviderInfo{Type: "off", Title: "Off", Inactive: true, NoLog: true}},
	}, so.Providers...)
	var err error
	if w.svc, err = webconferencing.New(store, w.dir, &so); err != nil {
		t.Fatal(err)
	}
	if w.api, err = httpapi.New(w.svc, w.auth, opts); err != nil {
		t.Fatal(err)
	}
	w.start()
	if w.spec, err = loadDescription(w.rest("", "GET", "openapi.json", nil).raw); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) start() {
	mux := http.NewServeMux()
	mux.Handle(restPath+"/", http.StripPrefix(restPath, w.api.REST()))
	mux.Handle("/portal/rest/state/status/", http.StripPrefix("/portal/rest/state/status", w.api.UserStatus()))
	mux.Handle("/cometd/", w.api.Bayeux())
	mux.Handle("/webconferencing/", http.StripPrefix("/webconferencing", w.api.Client()))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, ConnState: func(_ net.Conn, s http.ConnState) {
		if s == http.StateHijacked {
			w.taken.Add(1)
		}
	}}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = server.Serve(w.pipes) })
	wg.Go(func() { _ = w.svc.Run(ctx) })
	wg.Go(func() { _ = w.api.Run(ctx) })
	var once sync.Once
	w.stop = func() {
		once.Do(func() {
			done, release := context.WithTimeout(context.Background(), 10*time.Second)
			defer release()
			if err := w.api.Shutdown(done); err != nil {
				w.t.Error(err)
			}
			if err := w.svc.Shutdown(done); err != nil {
				w.t.Error(err)
			}
			if n := w.svc.Stats().Violations; n != 0 {
				w.t.Errorf("%d invariants were violated", n)
			}
			_ = server.Close()
			cancel()
			wg.Wait()
		})
	}
	w.t.Cleanup(w.stop)
}

// pipes is a listener whose connections stay in memory.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

// connections are those of one client, for cutting them without closing.
type connections struct {
	mu     sync.Mutex
	frozen chan struct{}
}

func (c *connections) add(conn net.Conn) net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.frozen == nil {
		c.frozen = make(chan struct{})
	}
	return &cuttable{Conn: conn, frozen: c.frozen, closed: make(chan struct{})}
}

func (c *connections) freeze() {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.frozen)
}

// cuttable is a connection whose cable can be pulled: what is written goes
// nowhere, and nothing is read.
type cuttable struct {
	net.Conn
	frozen chan struct{}
	closed chan struct{}
	once   sync.Once
}

func (c *cuttable) cut() bool {
	select {
	case <-c.frozen:
		return true
	default:
		return false
	}
}

// Read drains what the other side sends over a cut cable, as its kernel's buffer
// would. Once the server has given up and says so by a close frame, the
// connection ends: the server would wait for an answer under a lock, in which
// virtual time can't pass.
func (c *cuttable) Read(b []byte) (int, error) {
	const closeFrame = 0x88
	for {
		n, err := c.Conn.Read(b)
		if !c.cut() {
			return n, err
		}
		if err != nil || bytes.IndexByte(b[:n], closeFrame) >= 0 {
			_ = c.Conn.Close()
			<-c.closed
			return 0, net.ErrClosed
		}
	}
}

func (c *cuttable) Write(b []byte) (int, error) {
	if c.cut() {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

func (c *cuttable) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

func (p *pipes) dial(ctx context.Context, conns *connections) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return conns.add(client), nil
	case <-p.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// browser is an HTTP client with cookies; user "" is signed out.
func (w *world) browser(user string) *http.Client { return w.browserOver(user, &connections{}) }

func (w *world) browserOver(user string, conns *connections) *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if user != "" {
		jar.SetCookies(&url.URL{Scheme: "http", Host: "portal.test", Path: "/"}, []*http.Cookie{{Name: "user", Value: user, Path: "/"}})
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return w.pipes.dial(ctx, conns)
	}}
	w.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Jar: jar, Transport: transport}
}

// answer is what came back over HTTP.
type answer struct {
	*http.Response
	raw  []byte
	body map[string]any
}

func (a answer) String() string { return fmt.Sprintf("%d %s", a.StatusCode, a.raw) }

// rest sends a request to the REST resources and holds the answer against
// their description. A body that is not a string becomes JSON.
func (w *world) rest(user, method, path string, body any, headers ...string) answer {
	w.t.Helper()
	a := w.send(user, method, restPath+"/"+path, body, headers...)
	if w.spec != nil {
		if err := w.spec.check(method, path, a); err != nil {
			w.t.Error(err)
		}
	}
	return a
}

func (w *world) send(user, method, path string, body any, headers ...string) answer {
	w.t.Helper()
	var reader io.Reader
	kind := "application/json"
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			w.t.Fatal(err)
		}
		reader = bytes.NewReader(raw)
	}
	r, err := http.NewRequestWithContext(w.t.Context(), method, "http://portal.test"+path, reader)
	if err != nil {
		w.t.Fatal(err)
	}
	if reader != nil {
		r.Header.Set("Content-Type", kind)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	client := w.browser(user)
	defer client.CloseIdleConnections()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := client.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	a := answer{Response: res, raw: raw}
	_ = json.Unmarshal(raw, &a.body) // arrays and files have no members
	return a
}

// wantError checks status, code and the shape that every error has.
func (a answer) wantError(t *testing.T, status int, code string) {
	t.Helper()
	if a.StatusCode != status || a.body["code"] != code || a.body["error"] != true || a.body["message"] == "" {
		t.Errorf("got %s; want %d %s", a, status, code)
	}
	if ref, _ := a.body["ref"].(string); !regexp.MustCompile(`^[a-z0-9]{12}$`).MatchString(ref) {
		t.Errorf("no reference: %s", a)
	}
	if cc := a.Header.Get("Cache-Control"); cc != "no-cache, no-store" {
		t.Errorf("Cache-Control is %q", cc)
	}
	if status == http.StatusInternalServerError && a.body["message"] != "internal error" {
		t.Errorf("internals leak: %s", a.raw)
	}
}

func (a answer) wantOK(t *testing.T) {
	t.Helper()
	if a.StatusCode != http.StatusOK {
		t.Fatalf("got %s", a)
	}
}

var errDirectory = errors.New("directory: secret connection string")
