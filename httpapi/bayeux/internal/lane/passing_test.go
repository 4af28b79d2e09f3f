package lane_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/webconferencing/webconferencing/httpapi/bayeux/internal/lane"
)

func get(uri string) string { return "GET " + uri + " HTTP/1.1\r\nHost: portal.example\r\n\r\n" }

// TestConnectionComesAndGoes has requests of all kinds on one connection.
func TestConnectionComesAndGoes(t *testing.T) {
	everywhere(t, nil, func(t *testing.T, s *site) {
		l := s.laneLine(t)
		big := strings.Repeat("b", 20<<10)
		for _, c := range []struct{ text, want, by string }{
			{post("/take", "1"), "200 /take 1", "lane"},
			{get("/page?a=b"), "200 /page?a=b ", "web"},
			{post("/take", "2"), "200 /take 2", "web"}, // which takes it again
			{post("/take", "3"), "200 /take 3", "lane"},
			{post("/take", big), "200 /take " + big, "web"},
			{post("/take", ""), "200 /take ", "lane"},
			{"POST /take HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", "200 /take ab", "web"},
			{post("/take", "4"), "200 /take 4", "lane"},
			{post("/take/unknown", "5"), "200 /take/unknown 5", "web"},
			{post("/take/unknown", "6"), "200 /take/unknown 6", "lane"},
			{post("/other", "7"), "200 /other 7", "web"},
			{post("/take", "8"), "200 /take 8", "web"},
			{post("/take", "9", "Transfer-Encoding : chunked"), "400 400 Bad Request: invalid header name", ""},
		} {
			l.send(c.text)
			if got := l.receive(); got != c.want {
				t.Fatalf("%.80q: %.80q; want %.80q", c.text, got, c.want)
			}
			if c.by != "" {
				s.by(t, c.by)
			}
		}
		l.over()
	})
}

func TestHeadGoesToNetHTTP(t *testing.T) {
	everywhere(t, nil, func(t *testing.T, s *site) {
		l := s.laneLine(t)
		l.send(strings.Replace(get("/take"), "GET", "HEAD", 1))
		response, err := http.ReadResponse(l.in, &http.Request{Method: http.MethodHead})
		if err != nil || response.StatusCode != http.StatusOK || response.ContentLength != int64(len("/take ")) {
			t.Fatalf("%v, %+v", err, response)
		}
		l.send(post("/take", "1"))
		if got := l.receive(); got != "200 /take 1" {
			t.Fatal(got)
		}
		s.by(t, "web", "web")
	})
}

func TestExpectationIsAnswered(t *testing.T) {
	everywhere(t, nil, func(t *testing.T, s *site) {
		l := s.laneLine(t)
		head, body, _ := strings.Cut(post("/take", "late", "Expect: 100-continue"), "\r\n\r\n")
		l.send(head + "\r\n\r\n")
		if response, _, err := l.response(); err != nil || response.StatusCode != http.StatusContinue {
			t.Fatalf("%v, %+v", err, response)
		}
		l.send(body)
		if got := l.receive(); got != "200 /take late" {
			t.Fatal(got)
		}
		s.by(t, "web")
	})
}

func TestClientEndsTheConnection(t *testing.T) {
	everywhere(t, nil, func(t *testing.T, s *site) {
		l := s.laneLine(t)
		l.send(post("/take", "bye", "Connection: close"))
		response, body, err := l.response()
		if err != nil || !response.Close || body != "/take bye" {
			t.Fatalf("%v, %+v, %q", err, response, body)
		}
		s.by(t, "web")
		l.over()
	})
}

// TestPipelinedRequests sends requests for the lane and for net/http in one
// packet.
func TestPipelinedRequests(t *testing.T) {
	everywhere(t, nil, func(t *testing.T, s *site) {
		l := s.laneLine(t)
		var text strings.Builder
		var want, by []string
		for i := range 60 {
			body := strings.Repeat(fmt.Sprint(i), 1+i*i)
			switch i % 5 {
			case 3:
				text.WriteString(get(fmt.Sprint("/page", i)))
				want, by = append(want, fmt.Sprint("200 /page", i, " ")), append(by, "web")
			case 4: // taken again
				text.WriteString(post("/take", body))
				want, by = append(want, "200 /take "+body), append(by, "web")
			default:
				text.WriteString(post("/take", body))
				want, by = append(want, "200 /take "+body), append(by, "lane")
			}
		}
		l.send(text.String())
		for i, want := range want {
			if got := l.receive(); got != want {
				t.Fatalf("response %d: %.80q; want %.80q", i, got, want)
			}
		}
		s.by(t, by...)
	})
}

// TestRequestsInPieces cuts a request for the lane, one for net/http and one for
// the lane again at every place.
func TestRequestsInPieces(t *testing.T) {
	everywhere(t, nil, func(t *testing.T, s *site) {
		text := post("/take", "12345") + get("/page") + post("/take", "6") + post("/take", "7")
		l := s.laneLine(t)
		for cut := 1; cut < len(text); cut++ {
			written := make(chan error, 1)
			go func() {
				_, err := io.WriteString(l.Conn, text[:cut])
				if err == nil {
					_, err = io.WriteString(l.Conn, text[cut:])
				}
				written <- err
			}()
			for _, want := range []string{"200 /take 12345", "200 /page ", "200 /take 6", "200 /take 7"} {
				if got := l.receive(); got != want {
					t.Fatalf("cut at %d: %q; want %q", cut, got, want)
				}
			}
			if err := <-written; err != nil {
				t.Fatal(err)
			}
			s.by(t, "lane", "web", "web", "lane")
		}
	})
}

// TestRequestByteByByte comes to net/http in the end, which waits on.
func TestRequestByteByByte(t *testing.T) {
	bubble(t, "pipes", func(t *testing.T) {
		s := newPipeSite(t, nil)
		l := s.laneLine(t)
		go func() {
			for _, b := range []byte(post("/take", "slow") + post("/take", "quick")) {
				_, _ = l.Write([]byte{b})
			}
		}()
		for _, want := range []string{"200 /take slow", "200 /take quick"} {
			if got := l.receive(); got != want {
				t.Fatalf("%q; want %q", got, want)
			}
		}
		s.by(t, "web")
	})
}

// TestBlankLinesBetweenRequests come from old clients; net/http takes four bytes
// of them.
func TestBlankLinesBetweenRequests(t *testing.T) {
	everywhere(t, nil, func(t *testing.T, s *site) {
		l := s.laneLine(t)
		for _, c := range []struct{ text, want, by string }{
			{"\r\n" + post("/take", "1"), "200 /take 1", "lane"},
			{"\r\n\r\n" + post("/take", "2"), "200 /take 2", "lane"},
			{"\n" + get("/page"), "200 /page ", "web"},
			{post("/take", "3"), "200 /take 3", "web"},
			{post("/take", "4") + "\r\n", "200 /take 4", "lane"},
			{post("/take", "5"), "200 /take 5", "lane"},
			{"\r\n\r\n\r\n" + post("/take", "6"), "400 400 Bad Request", ""},
		} {
			l.send(c.text)
			if got := l.receive(); got != c.want {
				t.Fatalf("%q: %q; want %q", c.text, got, c.want)
			}
			if c.by != "" {
				s.by(t, c.by)
			}
		}
	})
}

// TestLaneLearnsNoAddressesWithoutEnd sends requests to more addresses than it
// keeps.
func TestLaneLearnsNoAddressesWithoutEnd(t *testing.T) {
	s := newTCPSite(t, true, nil)
	l := s.laneLine(t)
	for i := range 100 {
		uri := fmt.Sprint("/take/", i)
		for _, by := range []string{"web", "lane"} {
			l.send(post(uri, "x"))
			if got := l.receive(); got != "200 "+uri+" x" {
				t.Fatal(got)
			}
			s.by(t, by)
		}
	}
	l.send(post("/take/0", "x")) // forgotten
	l.receive()
	s.by(t, "web")
	for range 2 { // an address with a query never stays
		l.send(post("/take?a", "x"))
		l.receive()
		s.by(t, "web")
	}
}

// TestConnectionStaysItself looks at what ConnContext gets: after net/http has
// given a connection away, it is the one that was accepted.
func TestConnectionStaysItself(t *testing.T) {
	everywhere(t, func(s *site) {
		s.web.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, contextKey("conn"), fmt.Sprintf("%T", c))
		}
		s.take = func(w *lane.Response, r *http.Request) {
			_, _ = io.WriteString(w, r.Context().Value(contextKey("conn")).(string))
		}
	}, func(t *testing.T, s *site) {
		l := s.laneLine(t)
		var first string
		for range 5 {
			l.send(post("/take", "x"))
			got := l.receive()
			if first == "" {
				first = got
			}
			if got != first || strings.Contains(got, "*lane.") {
				t.Errorf("%q; want %q", got, first)
			}
			l.send(get("/page"))
			l.receive()
			l.send(post("/take", "x"))
			l.receive()
		}
	})
}
