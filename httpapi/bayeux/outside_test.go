package bayeux_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux"
)

// line is one HTTP/1.1 connection by hand.
type line struct {
	net.Conn
	in     *bufio.Reader
	cookie string
	client string
}

// another opens a further connection of the same client.
func (s *site) another(t *testing.T, of *line) *line {
	t.Helper()
	conn, err := s.listener.dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &line{Conn: conn, in: bufio.NewReader(conn), cookie: of.cookie, client: of.client}
}

// line opens a connection and a session on it that is subscribed to /a.
func (s *site) line(t *testing.T) *line {
	t.Helper()
	l := s.another(t, &line{})
	l.send(t, `[{"id":"h","channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["long-polling"]}]`)
	response, list := l.receive(t)
	l.cookie, _, _ = strings.Cut(response.Header.Get("Set-Cookie"), ";")
	l.client = list[0].ClientID
	l.send(t, l.connect(`,"advice":{"timeout":0}`), `[{"id":"s","channel":"/meta/subscribe","subscription":"/a","clientId":"`+l.client+`"}]`)
	l.receive(t)
	l.receive(t)
	return l
}

func (l *line) connect(extra string) string {
	return `[{"id":"p","channel":"/meta/connect","connectionType":"long-polling","clientId":"` + l.client + `"` + extra + `}]`
}

// send writes requests at once, without waiting for responses.
func (l *line) send(t *testing.T, bodies ...string) {
	t.Helper()
	var b strings.Builder
	for _, body := range bodies {
		fmt.Fprintf(&b, "POST /cometd HTTP/1.1\r\nHost: portal.example\r\nContent-Type: application/json\r\nCookie: %s\r\nContent-Length: %d\r\n\r\n%s",
			l.cookie, len(body), body)
	}
	// A pipe takes bytes only while they are read.
	text := b.String()
	go func() { _, _ = io.WriteString(l.Conn, text) }()
}

func (l *line) receive(t *testing.T) (*http.Response, []*message) {
	t.Helper()
	response, err := http.ReadResponse(l.in, nil)
	if err != nil {
		t.Fatalf("response: %v", err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("body: %v", err)
	}
	if len(body) == 0 {
		return response, nil
	}
	return response, decode(t, body)
}

// handlerSite is a site that tells how many requests are inside of its handler,
// and adds a header to each response.
func handlerSite(t *testing.T, o *bayeux.Options, wrap func(http.ResponseWriter) http.ResponseWriter) (*site, *atomic.Int32) {
	inside := new(atomic.Int32)
	return wrappedSite(t, o, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			inside.Add(1)
			defer inside.Add(-1)
			w.Header().Set("X-Portal", "yes")
			h.ServeHTTP(wrap(w), r)
		})
	}), inside
}

func sameWriter(w http.ResponseWriter) http.ResponseWriter { return w }

// wrapper is what middleware puts around a response.
type wrapper struct{ http.ResponseWriter }

func (w wrapper) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// hold waits until a held connect has given its goroutine back, if it does.
func hold() {
	time.Sleep(4500 * time.Millisecond)
	synctest.Wait()
}

func TestHeldConnectLeavesTheHandler(t *testing.T) {
	wrapped := func(w http.ResponseWriter) http.ResponseWriter { return wrapper{w} }
	for _, c := range []struct {
		name string
		o    *bayeux.Options
		wrap func(http.ResponseWriter) http.ResponseWriter
		want int32
	}{
		{"plain", nil, sameWriter, 0},
		{"wrapped", nil, wrapped, 1},
		{"StayInHandler", &bayeux.Options{StayInHandler: true}, sameWriter, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s, inside := handlerSite(t, c.o, c.wrap)
				l := s.line(t)
				for i := range 3 { // on the same connection
					l.send(t, l.connect(""))
					hold()
					if n := inside.Load(); n != c.want {
						t.Fatalf("%d requests are in the handler; want %d", n, c.want)
					}
					publish(t, s, "/a", fmt.Sprint(i))
					response, list := l.receive(t)
					if response.StatusCode != http.StatusOK || len(list) != 2 || string(list[0].Data) != fmt.Sprint(i) {
						t.Fatalf("status %d, messages %v", response.StatusCode, list)
					}
					for name, want := range map[string]string{
						"X-Portal": "yes", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
						"Content-Type": "application/json;charset=UTF-8", "Date": time.Now().UTC().Format(http.TimeFormat),
					} {
						if got := response.Header.Get(name); got != want {
							t.Errorf("%s: %q; want %q", name, got, want)
						}
					}
				}
			})
		})
	}
}

// Who holds a connect is asked about after its handler has ended, with all that
// the host knows the user by.
func TestTakenPollIsAskedAbout(t *testing.T) {
	type key struct{}
	bubble(t, func(t *testing.T) {
		var mu sync.Mutex
		var asked []string
		take := func() []string {
			mu.Lock()
			defer mu.Unlock()
			defer func() { asked = nil }()
			return asked
		}
		o := &bayeux.Options{Reauthenticate: func(ctx context.Context, r *http.Request, _ *bayeux.Session) error {
			user, _ := r.Context().Value(key{}).(string)
			body, _ := io.ReadAll(r.Body)
			if ctx.Err() != nil || r.Context().Err() != nil {
				t.Error("asked with a context that has ended")
			}
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, fmt.Sprintf("%s %s %s %s %d", user, r.Method, r.URL.Path, r.Header.Get("Cookie"), len(body)))
			return nil
		}}
		s := wrappedSite(t, o, func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), key{}, "mary")))
			})
		})
		l := s.line(t)
		for range 2 { // the first one comes from net/http
			l.send(t, l.connect(""))
			hold()
			take() // before it was held
			l.receive(t)
			asked, want := take(), "mary POST /cometd "+l.cookie+" 0"
			if len(asked) < 2 || asked[0] != want || asked[1] != want {
				t.Errorf("asked about %q; want %q twice", asked, want)
			}
		}
	})
}

func TestTakenPollEndsAtItsTimeout(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, _ := handlerSite(t, nil, sameWriter)
		l := s.line(t)
		start := time.Now()
		l.send(t, l.connect(""))
		_, list := l.receive(t)
		if d := time.Since(start); d < 29*time.Second || d > 31*time.Second || len(list) != 1 {
			t.Fatalf("after %v: %v", d, list)
		}
	})
}

func TestTakenPollTakesPipelinedRequests(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, _ := handlerSite(t, nil, sameWriter)
		l := s.line(t)
		l.send(t, l.connect(""))
		hold()
		l.send(t, `[{"id":"x","channel":"/b","data":1,"clientId":"`+l.client+`"}]`)
		hold()
		publish(t, s, "/a", `7`)
		if _, list := l.receive(t); len(list) != 2 || string(list[0].Data) != "7" {
			t.Fatalf("held connect: %v", list)
		}
		if _, list := l.receive(t); len(list) != 1 || list[0].ID != "x" || !list[0].ok() {
			t.Fatalf("pipelined request: %v", list)
		}
	})
}

func TestTakenPollOfClientThatIsGone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, _ := handlerSite(t, nil, sameWriter)
		l := s.line(t)
		l.send(t, l.connect(""))
		hold()
		_ = l.Close()
		synctest.Wait()
		for session := range s.Sessions() {
			if session.Connected() {
				t.Fatal("a closed connection counts as connected")
			}
		}
		publish(t, s, "/a", `8`)
		again := s.line(t)
		again.cookie, again.client = l.cookie, l.client
		again.send(t, again.connect(""))
		if _, list := again.receive(t); len(list) != 2 || string(list[0].Data) != "8" {
			t.Fatalf("after coming back: %v", list)
		}
	})
}

func TestTakenPollIsOvertaken(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, _ := handlerSite(t, nil, sameWriter)
		l, other := s.line(t), s.line(t)
		l.send(t, l.connect(""))
		hold()
		other.cookie, other.client = l.cookie, l.client
		other.send(t, other.connect(""))
		if response, list := l.receive(t); response.StatusCode != http.StatusInternalServerError || list != nil {
			t.Fatalf("status %d, %v", response.StatusCode, list)
		}
		// Its connection still works, and overtakes in turn.
		l.send(t, l.connect(""))
		if response, _ := other.receive(t); response.StatusCode != http.StatusInternalServerError {
			t.Fatalf("status %d", response.StatusCode)
		}
		publish(t, s, "/a", `9`)
		if _, list := l.receive(t); len(list) != 2 {
			t.Fatalf("after overtaking: %v", list)
		}
	})
}

func TestShutdownAnswersTakenPolls(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, _ := handlerSite(t, nil, sameWriter)
		l := s.line(t)
		l.send(t, l.connect(""))
		hold()
		ended := make(chan error, 1)
		go func() { ended <- s.Shutdown(context.WithoutCancel(t.Context())) }()
		response, list := l.receive(t)
		if response.StatusCode != http.StatusOK || !response.Close || len(list) != 1 || list[0].Advice["reconnect"] != "retry" {
			t.Fatalf("status %d, close %v, %v", response.StatusCode, response.Close, list)
		}
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		if _, err := l.in.ReadByte(); err != io.EOF {
			t.Fatalf("the connection is still there: %v", err)
		}
	})
}

// TestTakenPollWhoseClientDoesNotRead lets a client stop reading: the message
// returns to the queue and comes with the next connect.
func TestTakenPollWhoseClientDoesNotRead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, _ := handlerSite(t, &bayeux.Options{WriteTimeout: time.Second}, sameWriter)
		l := s.line(t)
		l.send(t, l.connect(""))
		hold()
		publish(t, s, "/a", `10`)
		hold()
		again := s.line(t)
		again.cookie, again.client = l.cookie, l.client
		again.send(t, again.connect(""))
		if _, list := again.receive(t); len(list) != 2 || string(list[0].Data) != "10" {
			t.Fatalf("after coming back: %v", list)
		}
	})
}
