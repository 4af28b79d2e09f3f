package lane_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux/internal/lane"
)

// hold sends a request that waits on a connection of the lane.
func (s *site) hold(t *testing.T) (*line, lane.Pending) {
	t.Helper()
	l := s.laneLine(t, "/hold")
	l.send(post("/hold", "x"))
	p := <-s.held
	s.by(t, "lane")
	return l, p
}

// answer answers and returns what done is told.
func answer(t *testing.T, p lane.Pending, body string, last bool) error {
	t.Helper()
	done := make(chan error, 2)
	p.Answer(http.StatusOK, []byte(body), last, func(err error) { done <- err })
	return <-done
}

// counted returns a function, a channel that it sends to, and how often it was
// called.
func counted() (f func(), called chan struct{}, n *atomic.Int32) {
	called, n = make(chan struct{}, 16), new(atomic.Int32)
	return func() { n.Add(1); called <- struct{}{} }, called, n
}

func TestClientClosesWhileItWaits(t *testing.T) {
	for _, name := range []string{"close", "half close", "reset"} {
		t.Run(name, func(t *testing.T) {
			everywhere(t, nil, func(t *testing.T, s *site) {
				l, p := s.hold(t)
				f, called, n := counted()
				p.OnGone(f)
				if tcp, ok := l.Conn.(*net.TCPConn); ok && name == "half close" {
					_ = tcp.CloseWrite()
				} else {
					if ok && name == "reset" {
						_ = tcp.SetLinger(0)
					}
					_ = l.Close()
				}
				<-called
				if err := answer(t, p, "late", false); !errors.Is(err, lane.ErrGone) {
					t.Errorf("answer: %v", err)
				}
				late, lateCalled, _ := counted()
				p.OnGone(late)
				<-lateCalled
				s.end()
				if got := n.Load(); got != 1 {
					t.Errorf("OnGone was called %d times", got)
				}
			})
		})
	}
}

func TestOnGoneIsNotCalledForTheNextRequest(t *testing.T) {
	everywhere(t, nil, func(t *testing.T, s *site) {
		l, p := s.hold(t)
		f, _, n := counted()
		p.OnGone(f)
		l.answered(t, p, "200 1", "1")
		l.send(post("/hold", "x"))
		<-s.held
		_ = l.Close()
		l.over()
		s.end()
		if n.Load() != 0 {
			t.Error("the function of a request that was answered was called")
		}
	})
}

func TestAnsweredTwice(t *testing.T) {
	everywhere(t, nil, func(t *testing.T, s *site) {
		l, p := s.hold(t)
		done := make(chan error, 1)
		p.Answer(http.StatusOK, []byte("first"), false, func(err error) { done <- err })
		// Without a client that reads, the first may be on its way still.
		if err := answer(t, p, "second", false); !errors.Is(err, lane.ErrGone) {
			t.Errorf("second answer: %v", err)
		}
		if got := l.receive(); got != "200 first" {
			t.Errorf("first answer: %q", got)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		l.send(post("/hold", "x"))
		next := <-s.held
		if err := answer(t, p, "third", false); !errors.Is(err, lane.ErrGone) {
			t.Errorf("answer to the request before: %v", err)
		}
		l.answered(t, next, "200 next", "next")
	})
}

// answered answers and expects the client to get it.
func (l *line) answered(t *testing.T, p lane.Pending, want, body string) {
	t.Helper()
	p.Answer(http.StatusOK, []byte(body), false, func(error) {})
	if got := l.receive(); got != want {
		t.Errorf("%q; want %q", got, want)
	}
}

// TestClientThatHasNothingMoreToSay sends a request and the end of its side at
// once.
func TestClientThatHasNothingMoreToSay(t *testing.T) {
	for _, plain := range []bool{true, false} {
		big := strings.Repeat("x", 16<<20) // more than the kernel takes at once
		s := newTCPSite(t, plain, func(s *site) {
			s.take = func(w *lane.Response, r *http.Request) {
				p, _ := w.Detach()
				p.Answer(http.StatusOK, []byte(big), false, func(error) {})
			}
		})
		l := s.laneLine(t)
		if _, err := io.WriteString(l, post("/take", "bye")); err != nil {
			t.Fatal(err)
		}
		_ = l.Conn.(*net.TCPConn).CloseWrite()
		if got := l.receive(); got != "200 "+big {
			t.Errorf("%d bytes", len(got))
		}
		l.over()
	}
}

func TestClientThatDoesNotRead(t *testing.T) {
	bubble(t, "pipes", func(t *testing.T) {
		s := newPipeSite(t, nil)
		l, p := s.hold(t)
		other := s.laneLine(t)
		start := time.Now()
		done := make(chan error, 2)
		p.Answer(http.StatusOK, []byte("unread"), false, func(err error) { done <- err })
		f, called, n := counted()
		p.OnGone(f)
		<-called // it is answered
		other.send(post("/take", "x"))
		if got := other.receive(); got != "200 /take x" || time.Since(start) != 0 {
			t.Errorf("another connection: %q after %v", got, time.Since(start))
		}
		if err := <-done; !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != writeTimeout {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		l.over()
		synctest.Wait()
		if len(done) != 0 || n.Load() != 1 {
			t.Errorf("done was called %d times more, OnGone %d times", len(done), n.Load())
		}
	})
}

// TestClientThatDoesNotReadFromTheHandler has the handler write itself.
func TestClientThatDoesNotReadFromTheHandler(t *testing.T) {
	bubble(t, "pipes", func(t *testing.T) {
		failed := make(chan error, 2)
		s := newPipeSite(t, func(s *site) {
			s.take = func(w *lane.Response, r *http.Request) {
				_, _ = io.WriteString(w, "unread")
				failed <- w.FlushError()
				_, err := io.WriteString(w, "more")
				failed <- err
			}
		})
		l := s.laneLine(t)
		start := time.Now()
		l.send(post("/take", "x"))
		for range 2 {
			if err := <-failed; !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != writeTimeout {
				t.Errorf("%v after %v", err, time.Since(start))
			}
		}
		l.over()
	})
}

func TestPanic(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(*lane.Response)
		logs int
		want string // on the connection, as far as it goes
	}{
		{"at once", func(*lane.Response) { panic("told") }, 1, ""},
		{"aborted", func(*lane.Response) { panic(http.ErrAbortHandler) }, 0, ""},
		{"after Write", func(w *lane.Response) { _, _ = io.WriteString(w, "lost"); panic("told") }, 1, ""},
		{"detached", func(w *lane.Response) { w.Detach(); panic("told") }, 1, ""},
		{"ended goroutine", func(*lane.Response) { runtime.Goexit() }, 0, ""},
		{"ended goroutine, detached", func(w *lane.Response) { w.Detach(); runtime.Goexit() }, 0, ""},
		{"invalid status", func(w *lane.Response) { w.WriteHeader(1000) }, 1, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			everywhere(t, func(s *site) {
				s.take = func(w *lane.Response, _ *http.Request) { c.do(w) }
			}, func(t *testing.T, s *site) {
				l := s.laneLine(t)
				l.send(post("/take", "x"))
				l.over()
				text := s.log.String()
				if got := strings.Count(text, "panic serving"); got != c.logs {
					t.Errorf("%d lines: %s", got, text)
				}
				if c.logs > 0 && !strings.Contains(text, "ends_test.go") && !strings.Contains(text, "response.go") {
					t.Errorf("no stack: %s", text)
				}
			})
		})
	}
}

// TestPanicCutsTheBody lets the client see that the rest is missing.
func TestPanicCutsTheBody(t *testing.T) {
	everywhere(t, func(s *site) {
		s.take = func(w *lane.Response, _ *http.Request) {
			_, _ = io.WriteString(w, "part")
			w.Flush()
			panic(http.ErrAbortHandler)
		}
	}, func(t *testing.T, s *site) {
		l := s.laneLine(t)
		l.send(post("/take", "x"))
		if _, body, err := l.response(); body != "part" || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%q, %v", body, err)
		}
	})
}

func TestTimeouts(t *testing.T) {
	const server = 20 * time.Second
	head, rest := post("/take", "hello")[:20], post("/take", "hello")[20:]
	for _, c := range []struct {
		name  string
		idle  time.Duration
		first bool // nothing but the request that was taken before
		parts []string
		want  time.Duration // after the last part
	}{
		{"idle after the first request", idleTimeout, true, nil, idleTimeout},
		{"idle", idleTimeout, false, nil, idleTimeout},
		{"idle as ReadTimeout says", 0, false, nil, server},
		{"idle after a blank line", idleTimeout, false, []string{"\r\n"}, idleTimeout},
		{"one piece", idleTimeout, false, []string{"P"}, readTimeout},
		{"two pieces", idleTimeout, false, []string{"P", head[1:]}, readTimeout - time.Second},
		{"three pieces", idleTimeout, false, []string{"\r\nP", head[1:], rest[:10]}, readTimeout - 2*time.Second},
		{"no body", idleTimeout, false, []string{head, rest[:len(rest)-5]}, readTimeout - time.Second},
		{"half a body", idleTimeout, false, []string{head, rest[:len(rest)-3], rest[len(rest)-3 : len(rest)-1]}, readTimeout - 2*time.Second},
		{"whole, then idle", idleTimeout, false, []string{head, rest}, idleTimeout},
	} {
		bubble(t, c.name, func(t *testing.T) {
			s := newPipeSite(t, func(s *site) { s.web.IdleTimeout, s.web.ReadTimeout = c.idle, server })
			l := s.laneLine(t)
			if !c.first {
				time.Sleep(time.Second)
				l.send(post("/take", "x"))
				l.receive()
			}
			for i, part := range c.parts {
				if i > 0 {
					time.Sleep(time.Second)
				}
				l.send(part)
				synctest.Wait()
			}
			start := time.Now()
			if len(c.parts) == 2 && c.parts[1] == rest {
				l.receive()
			}
			l.over()
			if got := time.Since(start); got != c.want {
				t.Errorf("ended after %v; want %v", got, c.want)
			}
		})
	}
}

// TestWaitingRequestIsNotIdle holds a request for longer than any timeout.
func TestWaitingRequestIsNotIdle(t *testing.T) {
	bubble(t, "pipes", func(t *testing.T) {
		s := newPipeSite(t, func(s *site) { s.web.ReadTimeout, s.web.WriteTimeout = time.Second, time.Second })
		l, p := s.hold(t)
		for _, more := range []string{"", "P"} { // with nothing and with a part of the next
			if more != "" {
				l.send(more)
			}
			time.Sleep(10 * idleTimeout)
			if more != "" {
				l.answered(t, p, "200 late", "late")
			}
		}
		start := time.Now()
		l.over()
		if got := time.Since(start); got != readTimeout {
			t.Errorf("the rest of a request had %v", got)
		}
	})
}

// TestEnds ends the server or the lane with connections in every state.
func TestEnds(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(*site) error
	}{
		{"Server.Shutdown", func(s *site) error { return s.web.Shutdown(context.Background()) }},
		{"Server.Close", func(s *site) error { return s.web.Close() }},
		{"Lane.Close", func(s *site) error { s.lane.Close(); return nil }},
	} {
		t.Run(c.name, func(t *testing.T) {
			everywhere(t, nil, func(t *testing.T, s *site) {
				waiting, p := s.hold(t)
				pipelined, q := s.hold(t)
				pipelined.send("P")
				idle, half := s.laneLine(t), s.laneLine(t)
				if _, err := io.WriteString(half, post("/take", "x")[:30]); err != nil {
					t.Fatal(err)
				}
				fresh := s.line(t)
				fresh.send(post("/hold", "x"))
				r := <-s.held
				if err := c.end(s); err != nil {
					t.Error(err)
				}
				idle.over()
				half.over()
				for _, w := range []struct {
					*line
					p lane.Pending
				}{{waiting, p}, {pipelined, q}, {fresh, r}} {
					done := make(chan error, 1)
					w.p.Answer(http.StatusOK, []byte("end"), false, func(err error) { done <- err })
					response, body, err := w.response()
					if err != nil || body != "end" || !response.Close {
						t.Errorf("%v, %q, %+v", err, body, response)
					}
					if err := <-done; err != nil {
						t.Error(err)
					}
					w.over()
				}
			})
		})
	}
}

func TestTakeAfterClose(t *testing.T) {
	everywhere(t, nil, func(t *testing.T, s *site) {
		s.lane.Close()
		l := s.line(t)
		for range 2 {
			l.send(post("/take", "x"))
			response, body, err := l.response()
			if err != nil || body != "/take x" || response.Close || response.Header.Get("X-Take") != http.ErrServerClosed.Error() {
				t.Fatalf("%v, %q, %+v", err, body, response)
			}
			s.by(t, "web")
		}
	})
}

func TestLastAnswer(t *testing.T) {
	everywhere(t, nil, func(t *testing.T, s *site) {
		l, p := s.hold(t)
		p.Answer(http.StatusOK, []byte("last"), true, func(error) {})
		if response, body, err := l.response(); err != nil || body != "last" || !response.Close {
			t.Errorf("%v, %q, %+v", err, body, response)
		}
		l.over()
	})
}

// TestGoOn keeps the handler while the connection goes on without it.
func TestGoOn(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(w *lane.Response, goOn func()) // of the handler
	}{
		{"GoOn, Leave", func(w *lane.Response, goOn func()) { goOn(); w.Leave() }},
		{"Leave, GoOn", func(w *lane.Response, goOn func()) { w.Leave(); goOn() }},
		{"GoOn, ended goroutine", func(_ *lane.Response, goOn func()) { goOn(); runtime.Goexit() }},
		{"GoOn, panic", func(_ *lane.Response, goOn func()) { goOn(); panic(http.ErrAbortHandler) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			release := make(chan struct{}, 1)
			everywhere(t, func(s *site) {
				s.take = func(w *lane.Response, r *http.Request) {
					p, _ := w.Detach()
					if r.URL.Path != "/take/slow" {
						p.Answer(http.StatusOK, []byte("quick"), false, func(error) {})
						return
					}
					c.end(w, func() {
						p.Answer(http.StatusOK, []byte("slow"), false, func(error) {})
						w.GoOn()
						if _, err := r.Body.Read(make([]byte, 1)); !errors.Is(err, http.ErrBodyReadAfterClose) {
							t.Errorf("body: %v", err)
						}
						<-release
					})
				}
			}, func(t *testing.T, s *site) {
				l := s.laneLine(t, "/take/slow")
				for range 3 {
					l.send(post("/take/slow", "x") + post("/take", "x") + get("/page") + post("/take", "x") + post("/take", "x"))
					for _, want := range []string{"200 slow", "200 quick", "200 /page ", "200 /take x", "200 quick"} {
						if got := l.receive(); got != want {
							t.Fatalf("%q; want %q", got, want)
						}
					}
					release <- struct{}{}
				}
			})
		})
	}
}

// TestGoOnAfterTheFall is called by another goroutine when the handler has
// panicked: nobody is to read from a connection that ends.
func TestGoOnAfterTheFall(t *testing.T) {
	started := make(chan int32, 1)
	everywhere(t, func(s *site) {
		s.take = func(w *lane.Response, _ *http.Request) {
			p, _ := w.Detach()
			s.tasks.Go(func() {
				gone := make(chan struct{})
				p.OnGone(func() { close(gone) })
				<-gone
				before := s.starts.Load()
				w.GoOn()
				started <- s.starts.Load() - before
			})
			panic(http.ErrAbortHandler)
		}
	}, func(t *testing.T, s *site) {
		l := s.laneLine(t)
		l.send(post("/take", "x"))
		l.over()
		if n := <-started; n != 0 {
			t.Errorf("%d goroutines were started", n)
		}
	})
}

func TestShrink(t *testing.T) {
	everywhere(t, func(s *site) {
		s.take = func(w *lane.Response, r *http.Request) {
			w.Shrink()
			p, _ := w.Detach()
			s.held <- p
		}
	}, func(t *testing.T, s *site) {
		l := s.laneLine(t)
		l.send(post("/take", "1") + post("/take", "2") + get("/page"))
		for range 2 {
			l.answered(t, <-s.held, "200 shrunk", "shrunk")
		}
		if got := l.receive(); got != "200 /page " {
			t.Error(got)
		}
		s.by(t, "lane", "lane", "web")
	})
}
