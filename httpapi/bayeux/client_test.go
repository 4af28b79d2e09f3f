package bayeux_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/webconferencing/webconferencing/httpapi/bayeux"
)

// message is a decoded reply or delivery.
type message struct {
	Channel      string                     `json:"channel"`
	ID           string                     `json:"id"`
	ClientID     string                     `json:"clientId"`
	Successful   *bool                      `json:"successful"`
	Error        string                     `json:"error"`
	Advice       map[string]any             `json:"advice"`
	Data         json.RawMessage            `json:"data"`
	Ext          map[string]json.RawMessage `json:"ext"`
	Subscription json.RawMessage            `json:"subscription"`
	Version      string                     `json:"version"`
	Types        []string                   `json:"supportedConnectionTypes"`

	raw string
}

func (m *message) ok() bool { return m.Successful != nil && *m.Successful }

func (m *message) String() string { return m.raw }

func decode(t testing.TB, body []byte) []*message {
	t.Helper()
	var raws []json.RawMessage
	if err := json.Unmarshal(body, &raws); err != nil {
		t.Fatalf("response is not a JSON array: %v: %.200q", err, body)
	}
	list := make([]*message, len(raws))
	for i, raw := range raws {
		list[i] = &message{raw: string(raw)}
		if err := json.Unmarshal(raw, list[i]); err != nil {
			t.Fatalf("message %s: %v", raw, err)
		}
	}
	return list
}

// site is a server under test, reached over connections in memory, so that
// tests can run in a synctest bubble.
type site struct {
	*bayeux.Server
	url       string
	listener  *memListener
	transport *http.Transport
	closed    sync.Once
}

// memListener hands out connections that are pipes.
type memListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *memListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *memListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *memListener) Addr() net.Addr { return memAddr{} }

func (l *memListener) dial(ctx context.Context) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.conns <- theirs:
		return ours, nil
	case <-l.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type memAddr struct{}

func (memAddr) Network() string { return "memory" }
func (memAddr) String() string  { return "192.0.2.1:1234" }

func newSite(t testing.TB, o *bayeux.Options) *site {
	t.Helper()
	return wrappedSite(t, o, func(h http.Handler) http.Handler { return h })
}

func wrappedSite(t testing.TB, o *bayeux.Options, wrap func(http.Handler) http.Handler) *site {
	t.Helper()
	server, err := bayeux.New(o)
	if err != nil {
		t.Fatal(err)
	}
	l := &memListener{conns: make(chan net.Conn), done: make(chan struct{})}
	web := &http.Server{Handler: wrap(server), ErrorLog: log.New(io.Discard, "", 0)}
	served := make(chan struct{})
	go func() { defer close(served); _ = web.Serve(l) }()
	s := &site{Server: server, url: "http://portal.example", listener: l}
	s.transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return l.dial(ctx) }}
	t.Cleanup(func() { s.close(t); _ = web.Close(); <-served })
	return s
}

// close shuts the server down and waits for it.
func (s *site) close(t testing.TB) {
	s.closed.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		s.transport.CloseIdleConnections()
	})
}

// bubble runs a test in virtual time.
func bubble(t *testing.T, f func(t *testing.T)) { synctest.Test(t, f) }

// client is a raw Bayeux client over either transport.
type client interface {
	// exchange sends one body and returns the replies to the ids in it and
	// everything that came before the last of them.
	exchange(t testing.TB, body string) []*message
	// next waits for the next message that is not a reply to exchange.
	next(t testing.TB) *message
	id() string
	setID(string)
	kind() string
}

var transports = []string{"long-polling", "websocket"}

// onBoth runs a test on each transport, in virtual time.
func onBoth(t *testing.T, f func(t *testing.T, transport string)) {
	t.Helper()
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			bubble(t, func(t *testing.T) { f(t, transport) })
		})
	}
}

func (s *site) client(t testing.TB, transport string) client {
	t.Helper()
	if transport == "websocket" {
		return s.socket(t, nil)
	}
	return s.poller(t)
}

// connected returns a client that has made its handshake and first connect.
func (s *site) connected(t testing.TB, transport string) client {
	t.Helper()
	c := s.client(t, transport)
	hello(t, c, "")
	return c
}

func hello(t testing.TB, c client, extra string) *message {
	t.Helper()
	r := one(t, c.exchange(t, `[{"id":"h","channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["`+c.kind()+`"]`+extra+`}]`))
	if !r.ok() {
		t.Fatalf("handshake failed: %s", r)
	}
	c.setID(r.ClientID)
	if first := last(c.exchange(t, say(c, `{"id":"c0","channel":"/meta/connect","connectionType":"`+c.kind()+`","advice":{"timeout":0}}`))); !first.ok() {
		t.Fatalf("first connect failed: %s", first)
	}
	return r
}

// say puts the client's id into each message object.
func say(c client, objects ...string) string {
	for i, o := range objects {
		objects[i] = `{"clientId":"` + c.id() + `",` + o[1:]
	}
	return "[" + strings.Join(objects, ",") + "]"
}

func one(t testing.TB, list []*message) *message {
	t.Helper()
	if len(list) != 1 {
		t.Fatalf("want one message, got %v", list)
	}
	return list[0]
}

func last(list []*message) *message { return list[len(list)-1] }

// poller speaks long-polling.
type poller struct {
	site   *site
	http   *http.Client
	client string
	inbox  []*message
}

func (s *site) poller(t testing.TB) *poller {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &poller{site: s, http: &http.Client{Jar: jar, Transport: s.transport}}
}

func (p *poller) id() string      { return p.client }
func (p *poller) setID(id string) { p.client = id }
func (p *poller) kind() string    { return "long-polling" }

func (p *poller) post(ctx context.Context, body string) (int, []byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.site.url+"/cometd", strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	response, err := p.http.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, text, err
}

func (p *poller) exchange(t testing.TB, body string) []*message {
	t.Helper()
	status, text, err := p.post(t.Context(), body)
	if err != nil || status != http.StatusOK {
		t.Fatalf("POST: status %d, error %v, body %s", status, err, text)
	}
	return decode(t, text)
}

// poll holds a connect and returns what it brought.
func (p *poller) poll(t testing.TB) []*message {
	t.Helper()
	return p.exchange(t, say(p, `{"id":"p","channel":"/meta/connect","connectionType":"long-polling"}`))
}

func (p *poller) next(t testing.TB) *message {
	t.Helper()
	for len(p.inbox) == 0 {
		for _, m := range p.poll(t) {
			if m.ID != "p" || m.Data != nil || !m.ok() {
				p.inbox = append(p.inbox, m)
			}
		}
	}
	m := p.inbox[0]
	p.inbox = p.inbox[1:]
	return m
}

// socketClient speaks WebSocket.
type socketClient struct {
	conn   *websocket.Conn
	client string
	inbox  []*message
}

func (s *site) socket(t testing.TB, header http.Header) *socketClient {
	t.Helper()
	conn, _, err := websocket.Dial(t.Context(), s.url+"/cometd", &websocket.DialOptions{HTTPHeader: header, HTTPClient: &http.Client{Transport: s.transport}})
	if err != nil {
		t.Fatal(err)
	}
	conn.SetReadLimit(-1)
	t.Cleanup(func() { _ = conn.CloseNow() })
	return &socketClient{conn: conn}
}

func (c *socketClient) id() string      { return c.client }
func (c *socketClient) setID(id string) { c.client = id }
func (c *socketClient) kind() string    { return "websocket" }

func (c *socketClient) read(t testing.TB) []*message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	_, text, err := c.conn.Read(ctx)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	return decode(t, text)
}

func (c *socketClient) write(t testing.TB, body string) {
	t.Helper()
	if err := c.conn.Write(t.Context(), websocket.MessageText, []byte(body)); err != nil {
		t.Fatalf("write: %v", err)
	}
}

// exchange waits for as many replies (messages without data) as were sent.
func (c *socketClient) exchange(t testing.TB, body string) []*message {
	t.Helper()
	var sent []json.RawMessage
	if err := json.Unmarshal([]byte(body), &sent); err != nil {
		sent = make([]json.RawMessage, 1)
	}
	c.write(t, body)
	var got []*message
	for want := len(sent); want > 0; {
		for _, m := range c.read(t) {
			if m.Data == nil {
				want--
				got = append(got, m)
			} else {
				c.inbox = append(c.inbox, m)
			}
		}
	}
	return got
}

func (c *socketClient) next(t testing.TB) *message {
	t.Helper()
	for len(c.inbox) == 0 {
		c.inbox = append(c.inbox, c.read(t)...)
	}
	m := c.inbox[0]
	c.inbox = c.inbox[1:]
	return m
}

func compact(t testing.TB, raw []byte) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	return b.String()
}

var _ fmt.Stringer = (*message)(nil)

// closeCode waits for the end of the connection and returns its close code, -1
// if there was none.
func (c *socketClient) closeCode(t testing.TB) int {
	t.Helper()
	code, _ := c.closing(t)
	return code
}

// closing reads until the connection ends, and returns the code and the reason
// that were given.
func (c *socketClient) closing(t testing.TB) (code int, reason string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		if _, _, err := c.conn.Read(ctx); err != nil {
			if ctx.Err() != nil {
				t.Fatal("the connection stays open")
			}
			var end websocket.CloseError
			if errors.As(err, &end) {
				reason = end.Reason
			}
			return int(websocket.CloseStatus(err)), reason
		}
	}
}

// drainUntilClosed reads until the connection ends, as a live client does.
func (c *socketClient) drainUntilClosed(ctx context.Context) {
	for {
		if _, _, err := c.conn.Read(ctx); err != nil {
			return
		}
	}
}
