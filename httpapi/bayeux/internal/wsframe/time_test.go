package wsframe_test

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux/internal/wsframe"
)

// giver is a response whose connection can be taken over.
type giver struct {
	*httptest.ResponseRecorder
	conn net.Conn
}

func (g giver) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return g.conn, bufio.NewReadWriter(bufio.NewReader(g.conn), bufio.NewWriter(g.conn)), nil
}

// connect makes a connection over net.Pipe, which works with synctest's clock.
func connect(t *testing.T, opts *wsframe.Options) (*wsframe.Conn, *peer) {
	t.Helper()
	up := newUpgrader(t, opts)
	here, there := net.Pipe()
	type result struct {
		c   *wsframe.Conn
		err error
	}
	done := make(chan result, 1)
	go func() {
		r, err := http.ReadRequest(bufio.NewReader(here))
		if err != nil {
			done <- result{nil, err}
			return
		}
		c, err := up.Upgrade(giver{httptest.NewRecorder(), here}, r)
		done <- result{c, err}
	}()
	p := &peer{there, bufio.NewReader(there)}
	p.shake(t)
	made := <-done
	if made.err != nil {
		t.Fatal(made.err)
	}
	t.Cleanup(func() { p.Close() })
	return made.c, p
}

// TestMessageTimeout checks the time that a message may take, from its first
// byte on, whatever the client does to stretch it.
func TestMessageTimeout(t *testing.T) {
	t.Parallel()
	const limit = 10 * time.Second
	long := text(strings.Repeat("x", 20_000))
	slowly := func(step time.Duration, pieces ...[]byte) func(*peer) {
		return func(p *peer) {
			for _, b := range pieces {
				time.Sleep(step)
				if _, err := p.Write(b); err != nil {
					return
				}
			}
		}
	}
	each := func(b []byte) (list [][]byte) {
		for i := range b {
			list = append(list, b[i:i+1])
		}
		return list
	}
	for _, c := range []struct {
		name  string
		write func(*peer)
		first time.Duration // when the late message begins; negative if there is none
	}{
		{"one byte of a header", slowly(0, []byte{0x81}), 0},
		{"header only", slowly(0, text("x")[:6]), 0},
		{"half a frame", slowly(0, text("hello")[:8]), 0},
		{"half a large frame", slowly(0, long[:9000]), 0},
		{"first fragment", slowly(0, textPart("a")), 0},
		{"one byte a second", slowly(time.Second, each(text("hello, world"))...), time.Second},
		{"one fragment in four seconds", slowly(4*time.Second, textPart("a"), more("b"), more("c"), last("d")), 4 * time.Second},
		{"pings in between", slowly(3*time.Second, textPart("a"), ping(""), ping(""), ping(""), ping(""), last("d")), 3 * time.Second},
		{"half a ping", slowly(0, ping("x")[:6]), 0},
		{"second message is slow", slowly(time.Second, text("a"), []byte{0x81}), 2 * time.Second},
		{"slow but in time", slowly(4*time.Second, textPart("a"), more("b"), last("c")), -1},
		{"large and slow but in time", slowly(4*time.Second, long[:5000], long[5000:10000], long[10000:]), -1},
		{"long silence, then a message", slowly(time.Hour, text("a"), ping(""), text("b")), -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn, p := connect(t, &wsframe.Options{MessageTimeout: limit, CloseTimeout: time.Second})
				heard := make(chan string, 1)
				go func() { heard <- p.hearAll(t) }()
				var writer sync.WaitGroup
				defer writer.Wait()
				writer.Go(func() {
					c.write(p)
					if c.first < 0 {
						p.say(t, goodbye(1000, ""))
					}
				})
				start := time.Now()
				err := readOn(conn)
				took := time.Since(start)
				if c.first < 0 {
					if got := <-heard; closeCode(err) != wsframe.CodeNormal || !strings.HasSuffix(got, "close:1000") {
						t.Errorf("ended with %v, heard %q", err, got)
					}
					return
				}
				// The client does not answer the close frame: one second more.
				if want := c.first + limit + time.Second; took != want {
					t.Errorf("ended after %v, want %v", took, want)
				}
				if got := <-heard; closeCode(err) != wsframe.CodePolicy || !strings.HasSuffix(got, "close:1008") {
					t.Errorf("ended with %v, heard %q", err, got)
				}
			})
		})
	}
}

// TestWake checks that a call back loses nothing of a message that has begun.
func TestWake(t *testing.T) {
	t.Parallel()
	for name, b := range map[string][]byte{
		"header": text("hello"), "large": text(strings.Repeat("hello", 2000)), "fragments": join(textPart("hel"), ping(""), last("lo")),
	} {
		for way, read := range readers {
			t.Run(name+", "+way, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { wake(t, b, read) })
			})
		}
	}
}

// wake has a message arrive in pieces, while the reader is woken every second.
func wake(t *testing.T, b []byte, read func(*wsframe.Conn) (wsframe.Kind, []byte, error)) {
	conn, p := connect(t, nil)
	go func() {
		for _, piece := range [][]byte{b[:1], b[1:7], b[7:11], b[11:]} {
			time.Sleep(1500 * time.Millisecond)
			p.say(t, piece)
		}
		p.say(t, goodbye(1000, ""))
	}()
	heard := make(chan string, 1)
	go func() { heard <- p.hearAll(t) }()
	wakes, start := 0, time.Now()
	for {
		conn.SetWake(time.Now().Add(time.Second))
		_, payload, err := read(conn)
		if errors.Is(err, wsframe.ErrWake) {
			if wakes++; time.Since(start) != time.Duration(wakes)*time.Second {
				t.Fatalf("wake-up %d after %v", wakes, time.Since(start))
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := string(payload); got != "hello" && got != strings.Repeat("hello", 2000) {
			t.Errorf("got %.20q", got)
		}
		break
	}
	if wakes < 4 || wakes > 6 {
		t.Errorf("woke %d times", wakes)
	}
	conn.SetWake(time.Time{})
	if err := readOn(conn); closeCode(err) != wsframe.CodeNormal {
		t.Errorf("ended with %v", err)
	}
	<-heard
}

// TestWakeFromOutside checks that a reader that waits is woken at a time that
// was set meanwhile, earlier or later than the one before.
func TestWakeFromOutside(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		conn, p := connect(t, nil)
		start := time.Now()
		conn.SetWake(start.Add(time.Minute))
		go func() {
			time.Sleep(time.Second)
			conn.SetWake(start.Add(5 * time.Second))
			time.Sleep(time.Second)
			conn.SetWake(start.Add(10 * time.Second))
		}()
		if _, _, err := conn.ReadMessage(); !errors.Is(err, wsframe.ErrWake) || time.Since(start) != 10*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		conn.SetWake(start)
		if _, _, err := conn.ReadMessage(); !errors.Is(err, wsframe.ErrWake) || time.Since(start) != 10*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		conn.SetWake(start.Add(20 * time.Second))
		conn.SetWake(time.Time{})
		go func() {
			time.Sleep(time.Hour)
			p.say(t, text("late"))
		}()
		if _, b, err := conn.ReadMessage(); err != nil || string(b) != "late" {
			t.Errorf("%q, %v", b, err)
		}
		conn.Abort()
	})
}

// TestHalfOpen shows how a dead client is found: it does not answer a ping.
func TestHalfOpen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		conn, p := connect(t, nil)
		dead := make(chan struct{})
		go func() {
			for i := range 4 {
				f, err := p.hear()
				if f != "ping:" {
					t.Errorf("heard %q, %v", f, err)
				}
				if i < 3 {
					p.say(t, pong(""))
				}
			}
			close(dead) // from here on it is silent, but the connection stays
		}()
		pings, pongs, start := 0, 0, time.Now()
		conn.OnPong(func() { pongs++ })
		for {
			asked := time.Now()
			if err := conn.Ping(); err != nil {
				t.Fatal(err)
			}
			pings++
			conn.SetWake(asked.Add(10 * time.Second))
			if _, _, err := conn.ReadMessage(); !errors.Is(err, wsframe.ErrWake) {
				t.Fatal(err)
			}
			if conn.LastHeard().Before(asked) {
				break
			}
		}
		conn.Abort()
		<-dead
		if pings != 4 || pongs != 3 || time.Since(start) != 40*time.Second {
			t.Errorf("%d pings and %d pongs in %v", pings, pongs, time.Since(start))
		}
		if _, _, err := conn.ReadMessage(); !errors.Is(err, wsframe.ErrClosed) {
			t.Errorf("then: %v", err)
		}
	})
}

// TestControlsRecover checks that the limit of control frames is one in a
// second, not one for the connection.
func TestControlsRecover(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		conn, p := connect(t, nil)
		go func() {
			for range 20 {
				p.say(t, ping("a"), pong("b"), ping("c"))
				time.Sleep(400 * time.Millisecond)
			}
			p.say(t, goodbye(1000, ""))
		}()
		heard := make(chan string, 1)
		go func() { heard <- p.hearAll(t) }()
		if err := readOn(conn); closeCode(err) != wsframe.CodeNormal {
			t.Errorf("ended with %v", err)
		}
		if got := <-heard; got != strings.Repeat("pong:a pong:c ", 20)+"close:1000" {
			t.Errorf("heard %q", got)
		}
	})
}

// TestBreachOfWriter checks that a client that reads only after it has sent all
// learns what it did wrong, although nothing is kept on the way.
func TestBreachOfWriter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		conn, p := connect(t, nil)
		var client sync.WaitGroup
		client.Go(func() {
			p.say(t, text(strings.Repeat("x", 100_000)))
			if f, err := p.hear(); f != "close:1009" {
				t.Errorf("heard %q, %v", f, err)
			}
			p.Close()
		})
		if err := readOn(conn); closeCode(err) != wsframe.CodeTooBig {
			t.Errorf("ended with %v", err)
		}
		client.Wait()
	})
}

// TestCloseTimeouts checks how long closing takes at most, with a client that
// reads and one that does not.
func TestCloseTimeouts(t *testing.T) {
	t.Parallel()
	for _, reads := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			conn, p := connect(t, &wsframe.Options{CloseTimeout: 3 * time.Second, WriteTimeout: 4 * time.Second})
			if reads {
				go p.hearAll(t)
			}
			start := time.Now()
			err := conn.Close(wsframe.CodeNormal, strings.Repeat("ж", 100))
			want := 3 * time.Second
			if !reads {
				want = 4 * time.Second
			}
			if took := time.Since(start); took != want || (err == nil) != reads {
				t.Errorf("reads=%v: %v after %v", reads, err, took)
			}
		})
	}
}
