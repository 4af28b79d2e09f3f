package lane_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux/internal/lane"
)

// writers are handlers that answer in every way there is. They return the errors
// that they got.
var writers = map[string]func(http.ResponseWriter, *http.Request) []error{
	"nothing": func(http.ResponseWriter, *http.Request) []error { return nil },
	"http.Error": func(w http.ResponseWriter, _ *http.Request) []error {
		http.Error(w, "no such thing", http.StatusNotFound)
		return nil
	},
	"http.Redirect": func(w http.ResponseWriter, r *http.Request) []error {
		http.Redirect(w, r, "/elsewhere?a=b", http.StatusSeeOther)
		return nil
	},
	"http.ServeContent": func(w http.ResponseWriter, r *http.Request) []error {
		http.ServeContent(w, r, "page.html", time.Unix(1e9, 0), strings.NewReader(strings.Repeat("<p>", 9000)))
		return nil
	},
	"cookie":       withHeader("hello", "Set-Cookie", "a=b; Path=/", "Set-Cookie", "c=d"),
	"status only":  withStatus(http.StatusAccepted, ""),
	"204":          withStatus(http.StatusNoContent, ""),
	"204 and body": withStatus(http.StatusNoContent, "hello"),
	"304": func(w http.ResponseWriter, r *http.Request) []error {
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Content-Length", "5")
		w.Header().Set("Etag", `"x"`)
		return withStatus(http.StatusNotModified, "hello")(w, r)
	},
	"unknown status": withStatus(599, "hello"),
	"status 999":     withStatus(999, ""),
	"invalid status": withStatus(1000, ""),
	"status 99":      withStatus(99, ""),
	"status zero":    withStatus(0, ""),
	"second status": func(w http.ResponseWriter, r *http.Request) []error {
		w.WriteHeader(201)
		w.WriteHeader(500)
		return nil
	},
	"early hints":           inform(http.StatusEarlyHints),
	"processing":            inform(http.StatusProcessing),
	"length":                withHeader("hello", "Content-Length", "5"),
	"length and no body":    withHeader("", "Content-Length", "5"),
	"length zero":           withHeader("", "Content-Length", "0"),
	"length too short":      withHeader("hello", "Content-Length", "4"),
	"length too long":       withHeader("hello", "Content-Length", "6"),
	"length negative":       withHeader("hello", "Content-Length", "-5"),
	"length of words":       withHeader("hello", "Content-Length", "five"),
	"length of many digits": withHeader(strings.Repeat("x", 1234567), "Content-Length", "1234567"),
	"length beyond all":     withHeader("hello", "Content-Length", "99999999999999999999"),
	"large":                 withHeader(strings.Repeat("<p>", 300<<10)),
	"middling":              withHeader(strings.Repeat("x", 40<<10)),
	"type":                  withHeader("<html>", "Content-Type", "text/plain"),
	"type empty":            withHeader("<html>", "Content-Type", ""),
	"type unwanted": func(w http.ResponseWriter, r *http.Request) []error {
		w.Header()["Content-Type"] = nil
		return write(w, "<html>")
	},
	"type sniffed":      withHeader("<html>"),
	"type sniffed late": withHeader(strings.Repeat(" ", 600) + "<html>"),
	"type of an image":  withHeader("\x89PNG\x0d\x0a\x1a\x0a"),
	"encoded":           withHeader("\x1f\x8b\x08", "Content-Encoding", "gzip"),
	"date":              withHeader("hello", "Date", "Sun, 06 Nov 1994 08:49:37 GMT"),
	"date unwanted": func(w http.ResponseWriter, r *http.Request) []error {
		w.Header()["Date"] = nil
		return write(w, "hello")
	},
	"close":                  withHeader("hello", "Connection", "close"),
	"newline in value":       withHeader("hello", "X", "a\r\nSet-Cookie: b", "Y", "\nc", "Z", "d\r\n"),
	"spaces around value":    withHeader("hello", "X", " \ta \t"),
	"odd names":              withHeader("hello", "X.y!z", "1", "a b", "2", "c:d", "3", "", "4", "e\r\nf", "5", "\xff", "6", "x(y)", "7"),
	"many values":            withHeader("hello", "X", "1", "X", "2", "X", ""),
	"Transfer-Encoding":      withHeader("hello", "Transfer-Encoding", "chunked"),
	"header after the start": afterStart,
	"flush": func(w http.ResponseWriter, _ *http.Request) []error {
		return append(write(w, "one "), flush(w), second(io.WriteString(w, "two ")), flush(w), flush(w), second(io.WriteString(w, "three")))
	},
	"flush first": func(w http.ResponseWriter, _ *http.Request) []error {
		return append([]error{flush(w)}, write(w, "<html>")...)
	},
	"flush with length": func(w http.ResponseWriter, _ *http.Request) []error {
		w.Header().Set("Content-Length", "6")
		return append(write(w, "abc"), append([]error{flush(w)}, write(w, "def")...)...)
	},
	"flush of 204":       func(w http.ResponseWriter, _ *http.Request) []error { w.WriteHeader(204); return []error{flush(w)} },
	"empty writes":       func(w http.ResponseWriter, _ *http.Request) []error { return append(write(w, ""), write(w, "")...) },
	"empty write of 204": func(w http.ResponseWriter, _ *http.Request) []error { w.WriteHeader(204); return write(w, "") },
	"io.Copy": func(w http.ResponseWriter, _ *http.Request) []error {
		n, err := io.Copy(w, bytes.NewReader(bytes.Repeat([]byte("copy "), 50000)))
		return []error{err, fmt.Errorf("%d", n)}
	},
	"io.Copy of the request": func(w http.ResponseWriter, r *http.Request) []error {
		n, err := io.Copy(w, r.Body)
		return []error{err, fmt.Errorf("%d", n)}
	},
	"io.ReaderFrom of a part": func(w http.ResponseWriter, _ *http.Request) []error {
		_, err := io.CopyN(w, strings.NewReader("hello, hello"), 5)
		return []error{err}
	},
	"controller": func(w http.ResponseWriter, r *http.Request) []error {
		_, _ = io.Copy(io.Discard, r.Body)
		c, later := http.NewResponseController(w), time.Now().Add(time.Minute)
		list := []error{c.SetReadDeadline(later), c.SetWriteDeadline(later), c.EnableFullDuplex()}
		list = append(append(list, write(w, "hello")...), c.Flush(), c.SetReadDeadline(time.Time{}), c.SetWriteDeadline(time.Time{}))
		return list
	},
	"unread body": func(w http.ResponseWriter, r *http.Request) []error { return append(write(w, "hello"), r.Body.Close()) },
	"body after its end": func(w http.ResponseWriter, r *http.Request) []error {
		_ = r.Body.Close()
		_, err := r.Body.Read(make([]byte, 1))
		return []error{err}
	},
	"panic after flush": func(w http.ResponseWriter, _ *http.Request) []error {
		_ = append(write(w, "hello"), flush(w))
		panic(http.ErrAbortHandler)
	},
}

func second(_ int, err error) error { return err }

func flush(w http.ResponseWriter) error { return http.NewResponseController(w).Flush() }

func write(w http.ResponseWriter, body string) []error {
	n, err := io.WriteString(w, body)
	return []error{err, fmt.Errorf("%d bytes", n)}
}

func withStatus(status int, body string) func(http.ResponseWriter, *http.Request) []error {
	return func(w http.ResponseWriter, _ *http.Request) []error {
		w.WriteHeader(status)
		if body == "" {
			return nil
		}
		return write(w, body)
	}
}

func withHeader(body string, lines ...string) func(http.ResponseWriter, *http.Request) []error {
	return func(w http.ResponseWriter, _ *http.Request) []error {
		for i := 0; i < len(lines); i += 2 {
			w.Header().Add(lines[i], lines[i+1])
		}
		if body == "" {
			return nil
		}
		return write(w, body)
	}
}

func inform(status int) func(http.ResponseWriter, *http.Request) []error {
	return func(w http.ResponseWriter, _ *http.Request) []error {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(status)
		w.Header().Set("X-Later", "yes")
		w.WriteHeader(status)
		return write(w, "hello")
	}
}

func afterStart(w http.ResponseWriter, _ *http.Request) []error {
	w.Header().Set("X-Before", "yes")
	w.WriteHeader(http.StatusOK)
	w.Header().Set("X-Before", "changed")
	for _, name := range []string{"X-After", "Content-Type", "Content-Encoding", "Date", "Connection"} {
		w.Header().Set(name, "close")
	}
	return write(w, "hello")
}

// answered is what a client gets, and what the handler was told.
type outcome struct {
	Informed []string
	Status   string
	Header   http.Header
	Body     string
	Err      string
	Close    bool
	Told     []string
	Again    string // what comes for one more request
}

// ask sends a request and reads all that comes.
func (l *line) ask(told <-chan []error) outcome {
	l.send(post("/take/writers", "hello"))
	var o outcome
	response, body, err := l.response()
	for err == nil && response.StatusCode < 200 {
		o.Informed = append(o.Informed, fmt.Sprint(response.Status, response.Header))
		response, body, err = l.response()
	}
	if err != nil {
		o.Err = err.Error()
	}
	if response != nil {
		o.Status, o.Header, o.Body, o.Close = response.Status, response.Header, body, response.Close
		// What is right at the moment, and how long a body of unknown length is.
		if date, err := http.ParseTime(o.Header.Get("Date")); err == nil && time.Since(date).Abs() < time.Minute {
			o.Header.Set("Date", "now")
		}
		if err == nil && o.Header.Get("Content-Length") == fmt.Sprint(len(body)) && len(body) > 0 {
			o.Header.Del("Content-Length")
		}
	}
	for _, err := range <-told {
		o.Told = append(o.Told, fmt.Sprint(err))
	}
	if response == nil || response.Close || err != nil {
		_, err := l.in.ReadByte()
		o.Again = fmt.Sprint(err != nil && !os.IsTimeout(err))
		return o
	}
	l.send(post("/take", "again"))
	_, o.Again, err = l.response()
	if err != nil {
		o.Again = err.Error()
	}
	return o
}

// TestResponseIsThatOfNetHTTP has the same handlers write to both.
func TestResponseIsThatOfNetHTTP(t *testing.T) {
	for name, f := range writers {
		t.Run(name, func(t *testing.T) {
			told := make(chan []error, 1)
			handle := func(w http.ResponseWriter, r *http.Request) {
				var list []error
				defer func() { told <- list }()
				list = f(w, r)
			}
			everywhere(t, func(s *site) {
				s.take = func(w *lane.Response, r *http.Request) {
					if r.URL.Path == "/take/writers" {
						handle(w, r)
						return
					}
					_, _ = io.WriteString(w, "again")
				}
			}, func(t *testing.T, s *site) {
				reference := newPipeLike(t, s, func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/take/writers" {
						handle(w, r)
						return
					}
					_, _ = io.WriteString(w, "again")
				})
				want := reference.line(t).ask(told)
				got := s.laneLine(t, "/take/writers").ask(told)
				s.by(t, "lane")
				if !reflect.DeepEqual(got, want) {
					t.Errorf("got\n%.600q\nwant\n%.600q", fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want))
				}
			})
		})
	}
}

// newPipeLike makes a site of the same kind that has nothing but a handler.
func newPipeLike(t *testing.T, s *site, h http.HandlerFunc) *site {
	t.Helper()
	change := func(s *site) { s.web.Handler = h }
	if _, ok := s.listener.(*pipes); ok {
		return newPipeSite(t, change)
	}
	return newTCPSite(t, true, change)
}

// TestAnswerKeepsTheHeader looks at what a detached request is answered with.
func TestAnswerKeepsTheHeader(t *testing.T) {
	everywhere(t, func(s *site) {
		h := s.web.Handler
		s.web.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Portal", "a\r\nb")
			w.Header().Set("Content-Type", "text/html")
			w.Header().Set("Content-Length", "1")
			w.Header()["Transfer-Encoding"] = []string{"chunked"}
			w.Header()["Bad Name"] = []string{"x"}
			if r.Header.Get("X-End") != "" {
				w.Header().Set("Connection", "close")
			}
			h.ServeHTTP(w, r)
		})
	}, func(t *testing.T, s *site) {
		for _, ends := range []int{0, 2} { // the number of the request with X-End
			l := s.line(t)
			for i, status := range []int{http.StatusOK, http.StatusNoContent, http.StatusInternalServerError} {
				end := "X-End:"
				if i == ends {
					end = "X-End: yes"
				}
				l.send(post("/hold", "x", end))
				p := <-s.held
				body := []byte("[]")
				if status != http.StatusOK {
					body = nil
				}
				p.Answer(status, body, false, func(error) {})
				response, text, err := l.response()
				if err != nil || text != string(body) || response.StatusCode != status || response.Close != (i == ends) {
					t.Fatalf("request %d: %v, %q, %+v", i, err, text, response)
				}
				want := http.Header{"X-Portal": {"a  b"}, "Date": response.Header["Date"]}
				if body != nil {
					want.Set("Content-Type", "application/json;charset=UTF-8")
				}
				if status != http.StatusNoContent {
					want.Set("Content-Length", fmt.Sprint(len(body)))
				}
				if !reflect.DeepEqual(response.Header, want) || response.Header.Get("Date") == "" {
					t.Errorf("request %d: %q; want %q", i, response.Header, want)
				}
				if i == ends {
					l.over()
					break
				}
			}
		}
	})
}

func TestDetachedResponseCannotBeUsed(t *testing.T) {
	everywhere(t, func(s *site) {
		s.take = func(w *lane.Response, _ *http.Request) {
			p, ok := w.Detach()
			if _, again := w.Detach(); !ok || again {
				t.Errorf("detached: %v, again: %v", ok, again)
			}
			w.WriteHeader(http.StatusTeapot)
			if _, err := io.WriteString(w, "x"); !errors.Is(err, http.ErrHijacked) {
				t.Errorf("Write: %v", err)
			}
			if err := w.FlushError(); !errors.Is(err, http.ErrHijacked) {
				t.Errorf("Flush: %v", err)
			}
			w.Header().Set("X-Late", "yes")
			p.Answer(http.StatusOK, []byte("answer"), false, func(error) {})
		}
	}, func(t *testing.T, s *site) {
		l := s.laneLine(t)
		l.send(post("/take", "x"))
		response, body, err := l.response()
		if err != nil || body != "answer" || response.StatusCode != http.StatusOK || response.Header.Get("X-Late") != "" {
			t.Errorf("%v, %q, %+v", err, body, response)
		}
	})
}

// TestResponseThatHasBegunStays cannot be detached any more.
func TestResponseThatHasBegunStays(t *testing.T) {
	everywhere(t, func(s *site) {
		s.take = func(w *lane.Response, _ *http.Request) {
			_, _ = io.WriteString(w, "begun")
			if _, ok := w.Detach(); ok {
				t.Error("detached")
			}
		}
	}, func(t *testing.T, s *site) {
		l := s.laneLine(t)
		l.send(post("/take", "x"))
		if got := l.receive(); got != "200 begun" {
			t.Error(got)
		}
	})
}
