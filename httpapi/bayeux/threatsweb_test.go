package bayeux_test

import (
	"bufio"
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux"
)

func TestThreatsFromOtherSites(t *testing.T) {
	shake := `[{"id":"1","channel":"/meta/handshake","version":"1.0"}]`
	origins := map[string]bool{
		"Origin: http://portal.example": true, "Origin: https://portal.example": true, "Origin: https://friend.example": true,
		"Origin: null": false, "Origin: http://portal.example.evil.com": false, "Origin: http://portal.example:8080": false,
		"Origin: http://friend.example": false, "Origin: https://evil.example": false, "Origin: file://": false, "Origin: https://": false,
		"Origin: https://portal.example:443": true, "Origin: http://portal.example:443": false, "Origin: https://FRIEND.example": false,
	}
	o := &bayeux.Options{AllowedOrigins: []string{"https://Friend.example:443"}, AllowedHeaders: []string{"X-CSRF-Token"}}
	threat(t, "T26 and T27 origins", o, func(t *testing.T, s *site, transport string) {
		for origin, allowed := range origins {
			var status int
			want := map[bool]int{true: 200, false: 403}[allowed]
			if transport == "websocket" {
				conn, _, response := rawSocket(t, s, origin)
				status = response.StatusCode
				want = map[bool]int{true: 101, false: 403}[allowed]
				_ = conn.Close()
			} else {
				var header http.Header
				status, _, header = s.request(t, http.MethodPost, shake, origin)
				if cors := header.Get("Access-Control-Allow-Origin"); (cors != "") != strings.Contains(origin, "https://friend.example") {
					t.Errorf("%s: CORS header %q", origin, cors)
				}
			}
			if status != want {
				t.Errorf("%s: status %d, want %d", origin, status, want)
			}
		}
	})
	// What a proxy that changes Host leaves of a page of this site.
	threat(t, "T26 and T27 behind a proxy", nil, func(t *testing.T, s *site, transport string) {
		for header, allowed := range map[string]bool{"Sec-Fetch-Site: same-origin": true, "Sec-Fetch-Site: same-site": false, "Sec-Fetch-Site: cross-site": false, "X: y": false} {
			var status int
			want := map[bool]int{true: 200, false: 403}[allowed]
			if transport == "websocket" {
				conn, _, response := rawSocket(t, s, "Origin: https://other.example", header)
				status, want = response.StatusCode, map[bool]int{true: 101, false: 403}[allowed]
				_ = conn.Close()
			} else {
				status, _, _ = s.request(t, http.MethodPost, shake, "Origin: https://other.example", header)
			}
			if status != want {
				t.Errorf("%s: status %d, want %d", header, status, want)
			}
		}
	})
	// A page that came without TLS, which a proxy ends.
	threat(t, "T26 and T27 other scheme", nil, func(t *testing.T, s *site, transport string) {
		lines := []string{"Origin: http://portal.example", "Sec-Fetch-Site: cross-site"}
		if transport == "long-polling" {
			if status, _, _ := s.request(t, http.MethodPost, shake, lines...); status != http.StatusForbidden {
				t.Errorf("status %d", status)
			}
			return
		}
		conn, _, response := rawSocket(t, s, lines...)
		if response.StatusCode != http.StatusForbidden {
			t.Errorf("status %d", response.StatusCode)
		}
		_ = conn.Close()
	})
	threat(t, "T26 without Origin", nil, func(t *testing.T, s *site, transport string) {
		for header, want := range map[string]int{"Sec-Fetch-Site: cross-site": 403, "Sec-Fetch-Site: same-site": 403, "Sec-Fetch-Site: same-origin": 200, "X: y": 200} {
			if status, _, _ := s.request(t, http.MethodPost, shake, header); status != want {
				t.Errorf("%s: status %d", header, status)
			}
		}
	}, "long-polling")
	threat(t, "T27 without Origin", nil, func(t *testing.T, s *site, transport string) {
		for header, want := range map[string]int{"Cookie: JSESSIONID=1": 403, "Cookie: BAYEUX_BROWSER=1": 101, "X: y": 101} {
			conn, _, response := rawSocket(t, s, header)
			if response.StatusCode != want {
				t.Errorf("%s: status %d", header, response.StatusCode)
			}
			_ = conn.Close()
		}
		conn, _, response := rawSocket(t, s, "Cookie: JSESSIONID=1", "Authorization: Bearer x")
		if response.StatusCode != 101 {
			t.Errorf("bearer: status %d", response.StatusCode)
		}
		_ = conn.Close()
	}, "websocket")
	threat(t, "T28 and item 111 other methods", nil, func(t *testing.T, s *site, transport string) {
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete, http.MethodHead} {
			if status, _, header := s.request(t, method, ""); status != http.StatusBadRequest || header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s: status %d", method, status)
			}
		}
		for _, query := range []string{"?jsonp=f&message=%5B%5D", "?message=%5B%5D&jsonp=alert(1)//", "?jsonp=" + strings.Repeat("x", 65)} {
			if status, text, _ := (&site{Server: s.Server, url: s.url + query, transport: s.transport}).request(t, http.MethodGet, ""); status != http.StatusNotFound || !strings.Contains(text, "unknown_transport") {
				t.Errorf("%s: status %d, %s", query, status, text)
			}
		}
	}, "long-polling")
	threat(t, "item 178 preflight", o, func(t *testing.T, s *site, transport string) {
		status, body, header := s.request(t, http.MethodOptions, "", "Origin: https://friend.example", "Access-Control-Request-Method: POST")
		if status != 200 || body != "" || header.Get("Access-Control-Allow-Origin") != "https://friend.example" || header.Get("Access-Control-Allow-Credentials") != "true" ||
			!strings.Contains(header.Get("Access-Control-Allow-Methods"), "POST") || header.Get("Access-Control-Allow-Headers") != "Content-Type, Authorization, X-Requested-With, Pragma, X-CSRF-Token" {
			t.Errorf("status %d, header %v", status, header)
		}
		if status, _, header := s.request(t, http.MethodOptions, "", "Origin: https://evil.example"); status != 403 || header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("status %d, header %v", status, header)
		}
	}, "long-polling")
}

func TestThreatsFromTheConnection(t *testing.T) {
	threat(t, "T29 slow body", nil, func(t *testing.T, s *site, transport string) {
		conn, err := s.listener.dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		start := time.Now()
		_, _ = io.WriteString(conn, "POST /cometd HTTP/1.1\r\nHost: portal.example\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n[")
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || response.StatusCode != http.StatusRequestTimeout || time.Since(start) != 10*time.Second {
			t.Fatalf("after %v: %v, %v", time.Since(start), response, err)
		}
	}, "long-polling")
	threat(t, "T29 a body that nobody reads", nil, func(t *testing.T, s *site, transport string) {
		for name, head := range map[string]string{
			"too large":  "POST /cometd HTTP/1.1\r\nHost: portal.example\r\nContent-Type: application/json\r\nContent-Length: 70000\r\n\r\n[",
			"no JSON":    "POST /cometd HTTP/1.1\r\nHost: portal.example\r\nContent-Type: text/plain\r\nContent-Length: 60000\r\n\r\n[",
			"cross site": "POST /cometd HTTP/1.1\r\nHost: portal.example\r\nOrigin: http://evil.example\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n[",
			"GET":        "GET /cometd HTTP/1.1\r\nHost: portal.example\r\nContent-Length: 60000\r\n\r\n[",
			"OPTIONS":    "OPTIONS /cometd HTTP/1.1\r\nHost: portal.example\r\nContent-Length: 60000\r\n\r\n[",
		} {
			conn, err := s.listener.dial(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			_, _ = io.WriteString(conn, head)
			_, _ = io.Copy(io.Discard, conn)
			if d := time.Since(start); d > 11*time.Second {
				t.Errorf("%s: the connection was kept for %v", name, d)
			}
			_ = conn.Close()
		}
	}, "long-polling")
	threat(t, "T29 silent socket", nil, func(t *testing.T, s *site, transport string) {
		start := time.Now()
		_, reader, _ := rawSocket(t, s)
		if code := rawClose(reader); code != 1000 || time.Since(start) > 12*time.Second {
			t.Errorf("closed with %d after %v", code, time.Since(start))
		}
	}, "websocket")
	t.Run("T33 no header from input", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			s := newSite(t, nil)
			_, _, header := s.request(t, http.MethodPost, `[{"id":"1\r\nX-Evil: 1","channel":"/a\r\nX-Evil: 1"}]`)
			if header.Get("X-Evil") != "" {
				t.Error("header was injected")
			}
		})
	})
	t.Run("T35 behind a TimeoutHandler", func(t *testing.T) {
		var log syncBuffer
		o := &bayeux.Options{Timeout: time.Second, Logger: slog.New(slog.NewTextHandler(&log, nil))}
		s := wrappedSite(t, o, func(h http.Handler) http.Handler { return http.TimeoutHandler(h, time.Minute, "") })
		_, _, response := rawSocket(t, s)
		if response.StatusCode != http.StatusNotImplemented {
			t.Errorf("upgrade: status %d", response.StatusCode)
		}
		c := s.connected(t, "long-polling")
		wantOK(t, ask(t, c, `{"id":"1","channel":"/meta/connect"}`))
		conn, _, _ := rawSocket(t, s)
		_ = conn.Close()
		for range 2 {
			if status, _, _ := s.request(t, http.MethodPost, "[]", "Origin: https://other.example"); status != http.StatusForbidden {
				t.Errorf("another origin: status %d", status)
			}
		}
		for _, warning := range []string{
			"hides deadlines", "hides the connection", "no ReadHeaderTimeout", "keeps connections of long-polling", `WARN msg="bayeux: refused a request of another site"`,
		} {
			if n := strings.Count(log.String(), warning); n != 1 {
				t.Errorf("%d warnings %q: %s", n, warning, log.String())
			}
		}
	})
	t.Run("T53 panics are counted and logged", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			var log syncBuffer
			s := newSite(t, &bayeux.Options{Logger: slog.New(slog.NewTextHandler(&log, nil)), OnSession: func(*bayeux.Session) { panic("boom") },
				OnSessionClosed: func(*bayeux.Session, bayeux.Reason) { panic("boom") }})
			c := s.connected(t, "long-polling")
			wantOK(t, ask(t, c, `{"id":"1","channel":"/meta/disconnect"}`))
			if n := s.Stats().Panics; n != 2 || !strings.Contains(log.String(), "boom") || strings.Contains(log.String(), c.id()) {
				t.Errorf("%d panics, log %s", n, log.String())
			}
		})
	})
}

// syncBuffer is a buffer for concurrent use.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
