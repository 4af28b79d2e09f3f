package lane_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux/internal/lane"
)

const (
	readTimeout  = 10 * time.Second
	writeTimeout = 7 * time.Second
	idleTimeout  = time.Minute
)

// site is a server with a lane. What is sent to an address below /take is
// answered with the address and the body, by the lane from the second request
// of a connection on; what is sent to /hold waits for the test.
type site struct {
	lane     *lane.Lane
	web      *http.Server
	listener net.Listener
	dial     func() (net.Conn, error)
	held     chan lane.Pending
	log      record
	served   chan string // how requests were served: by "web" or "lane"
	tasks    sync.WaitGroup
	starts   atomic.Int32 // how often the lane has started something
	ended    chan error
	once     sync.Once

	// take handles requests that are in the lane, or those for /take if it is nil.
	take func(*lane.Response, *http.Request)
}

// record is a log that can be read at any time.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *record) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *record) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// pipes is a listener of connections within the process.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

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

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func (p *pipes) dial() (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

// wrapping is a listener whose connections are not *net.TCPConn.
type wrapping struct{ net.Listener }

type wrapped struct{ net.Conn }

func (l wrapping) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return wrapped{c}, nil
}

// newPipeSite makes a site for a bubble.
func newPipeSite(t *testing.T, change func(*site)) *site {
	t.Helper()
	p := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
	return newSite(t, p, p.dial, change)
}

// newTCPSite makes a site with true sockets, hidden from the lane if plain is
// false.
func newTCPSite(t *testing.T, plain bool, change func(*site)) *site {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dial := func() (net.Conn, error) { return net.Dial("tcp", l.Addr().String()) }
	if plain {
		return newSite(t, l, dial, change)
	}
	return newSite(t, wrapping{l}, dial, change)
}

func newSite(t *testing.T, l net.Listener, dial func() (net.Conn, error), change func(*site)) *site {
	t.Helper()
	s := &site{listener: l, dial: dial, held: make(chan lane.Pending, 16), served: make(chan string, 1024), ended: make(chan error, 1)}
	run := func(f func()) {
		s.starts.Add(1)
		s.tasks.Go(f)
	}
	s.lane = lane.New(lane.Options{Start: run, Spawn: run, ReadTimeout: readTimeout, WriteTimeout: writeTimeout})
	s.web = &http.Server{Handler: s, IdleTimeout: idleTimeout, ErrorLog: log.New(&s.log, "", 0)}
	if change != nil {
		change(s)
	}
	go func() { s.ended <- s.web.Serve(l) }()
	t.Cleanup(s.end)
	return s
}

// end waits for everything that the site has started.
func (s *site) end() {
	s.once.Do(func() {
		s.lane.Close()
		_ = s.web.Close()
		<-s.ended
		s.tasks.Wait()
	})
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	own, inLane := w.(*lane.Response)
	if inLane {
		s.served <- "lane"
	} else {
		s.served <- "web"
	}
	if inLane && s.take != nil {
		s.take(own, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	text := append([]byte(r.RequestURI+" "), body...)
	mayTake := r.Method == http.MethodPost && !r.Close && (strings.HasPrefix(r.URL.Path, "/take") || r.URL.Path == "/hold")
	if !mayTake {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write(text)
		return
	}
	var p lane.Pending
	if inLane {
		p, _ = own.Detach()
	} else if p, err = s.lane.Take(w, r); err != nil {
		w.Header().Set("X-Take", err.Error())
		_, _ = w.Write(text)
		return
	}
	if r.URL.Path == "/hold" {
		s.held <- p
		return
	}
	p.Answer(http.StatusOK, text, false, func(error) {})
}

// line is one connection by hand.
type line struct {
	net.Conn
	in *bufio.Reader
	t  *testing.T
}

func (s *site) line(t *testing.T) *line {
	t.Helper()
	c, err := s.dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return &line{c, bufio.NewReader(c), t}
}

// laneLine opens a connection that is in the lane, and tells the lane addresses.
func (s *site) laneLine(t *testing.T, uris ...string) *line {
	t.Helper()
	l := s.line(t)
	for _, uri := range append(uris, "/take") {
		// Only what net/http has read is learned from.
		first := s.line(t)
		first.send(post(uri, "x"))
		if uri == "/hold" {
			p := <-s.held
			p.Answer(http.StatusOK, []byte("x"), false, func(error) {})
		}
		first.receive()
		s.by(t, "web")
		_ = first.Close()
	}
	l.send(post("/take", "x"))
	if got := l.receive(); got != "200 /take x" {
		t.Fatalf("first request: %q", got)
	}
	s.by(t, "web")
	return l
}

// by checks how the oldest requests were served.
func (s *site) by(t *testing.T, want ...string) {
	t.Helper()
	for i, w := range want {
		if got := <-s.served; got != w {
			t.Errorf("request %d was served by %q; want %q", i, got, w)
		}
	}
}

func post(uri, body string, lines ...string) string {
	var more strings.Builder
	for _, l := range lines {
		more.WriteString(l + "\r\n")
	}
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: portal.example\r\nContent-Length: %d\r\n%s\r\n%s", uri, len(body), more.String(), body)
}

// send writes without waiting, since a pipe takes bytes only while they are read.
func (l *line) send(text string) {
	go func() { _, _ = io.WriteString(l.Conn, text) }()
}

// response reads a response whole.
func (l *line) response() (*http.Response, string, error) {
	response, err := http.ReadResponse(l.in, nil)
	if err != nil {
		return nil, "", err
	}
	body, err := io.ReadAll(response.Body)
	return response, string(body), err
}

// receive returns the status and the body of a response.
func (l *line) receive() string {
	l.t.Helper()
	response, body, err := l.response()
	if err != nil {
		l.t.Fatalf("response: %v", err)
	}
	return fmt.Sprint(response.StatusCode, " ", body)
}

// over waits until the other side has closed the connection.
func (l *line) over() {
	l.t.Helper()
	if b, err := l.in.ReadByte(); err == nil || os.IsTimeout(err) {
		l.t.Errorf("the connection is still there: %q, %v", b, err)
	}
}

// everywhere runs a test with sockets, with wrapped sockets and with pipes in a
// bubble.
func everywhere(t *testing.T, change func(*site), f func(*testing.T, *site)) {
	t.Helper()
	t.Run("sockets", func(t *testing.T) { f(t, newTCPSite(t, true, change)) })
	t.Run("wrapped sockets", func(t *testing.T) { f(t, newTCPSite(t, false, change)) })
	bubble(t, "pipes", func(t *testing.T) { f(t, newPipeSite(t, change)) })
}

func bubble(t *testing.T, name string, f func(*testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
}
