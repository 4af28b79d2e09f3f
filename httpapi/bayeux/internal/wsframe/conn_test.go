package wsframe_test

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux/internal/wsframe"
)

// readOn reads until the connection ends and returns why it did.
func readOn(c *wsframe.Conn) error {
	for {
		if _, _, err := c.ReadMessage(); err != nil && !errors.Is(err, wsframe.ErrWake) {
			return err
		}
	}
}

func closeCode(err error) int {
	var closed *wsframe.CloseError
	if errors.As(err, &closed) {
		return closed.Code
	}
	return 0
}

func TestWriteFrames(t *testing.T) {
	t.Parallel()
	for _, wrapped := range []bool{false, true} {
		big := strings.Repeat("x", 200_000)
		s := startServer(t, nil, wrapped, func(c *wsframe.Conn) {
			shared := wsframe.FinishText(append(make([]byte, wsframe.HeaderRoom), "shared"...))
			if err := c.WriteFrames(); err != nil {
				t.Errorf("nothing: %v", err)
			}
			for _, frames := range [][][]byte{
				{wsframe.AppendText(nil, []byte("one"))},
				{shared, wsframe.AppendBinary(nil, nil), shared},
				{wsframe.AppendText(nil, []byte(big)), shared},
				{wsframe.FinishText(append(make([]byte, wsframe.HeaderRoom), big[:300]...))},
			} {
				if err := c.WriteFrames(frames...); err != nil {
					t.Errorf("write: %v", err)
				}
			}
			if err := c.Close(wsframe.CodeNormal, ""); err != nil {
				t.Errorf("close: %v", err)
			}
			if err := c.WriteFrames(shared); !errors.Is(err, wsframe.ErrClosed) {
				t.Errorf("write after close: %v", err)
			}
			if _, _, err := c.ReadMessage(); !errors.Is(err, wsframe.ErrClosed) {
				t.Errorf("read after close: %v", err)
			}
		})
		p := s.dial(t)
		p.say(t, goodbye(1000, ""))
		want := "text:one text:shared binary: text:shared text:" + big + " text:shared text:" + big[:300] + " close:1000"
		if got := p.hearAll(t); got != want {
			t.Errorf("heard %.100q", got)
		}
		s.ended.Wait()
	}
}

// TestTryWriteFrames fills the kernel's buffers without ever waiting, and checks
// that nothing is lost or doubled.
func TestTryWriteFrames(t *testing.T) {
	t.Parallel()
	const size = 30_000
	filled := make(chan int, 1)
	s := startServer(t, nil, false, func(c *wsframe.Conn) {
		one := wsframe.AppendText(nil, []byte(strings.Repeat("x", size)))
		two := wsframe.AppendText(nil, []byte("y"))
		n, done := 0, true
		for done {
			var err error
			if done, err = c.TryWriteFrames(one, two); err != nil {
				t.Errorf("try: %v", err)
			}
			n++
		}
		if done, err := c.TryWriteFrames(two); done || !errors.Is(err, wsframe.ErrWouldWait) {
			t.Errorf("try again: %v, %v", done, err)
		}
		filled <- n
		if err := c.Flush(); err != nil {
			t.Errorf("flush: %v", err)
		}
		if err := c.Flush(); err != nil {
			t.Errorf("flush again: %v", err)
		}
		if _, err := c.TryWriteFrames(two, one, one, two); err != nil {
			t.Errorf("try after flush: %v", err)
		}
		if err := c.WriteFrames(two); err != nil {
			t.Errorf("write: %v", err)
		}
		if err := readOn(c); closeCode(err) != wsframe.CodeNormal {
			t.Errorf("ended with %v", err)
		}
		if _, err := c.TryWriteFrames(two); !errors.Is(err, wsframe.ErrClosed) {
			t.Errorf("try after the end: %v", err)
		}
	})
	p := s.dial(t)
	n := <-filled
	var got strings.Builder
	for range 2*n + 5 {
		f, err := p.hear()
		if err != nil {
			t.Fatal(err)
		}
		switch len(f) {
		case len("text:y"):
			got.WriteByte('y')
		case len("text:") + size:
			got.WriteByte('x')
		}
	}
	if got.String() != strings.Repeat("xy", n)+"yxxyy" {
		t.Errorf("heard %s", got.String())
	}
	p.say(t, goodbye(1000, ""))
	p.hearAll(t)
}

// TestTryWriteImpossible checks connections that are not plain sockets.
func TestTryWriteImpossible(t *testing.T) {
	t.Parallel()
	s := startServer(t, nil, true, func(c *wsframe.Conn) {
		if done, err := c.TryWriteFrames(wsframe.AppendText(nil, nil)); done || !errors.Is(err, wsframe.ErrWouldWait) {
			t.Errorf("try: %v, %v", done, err)
		}
		if err := c.Flush(); err != nil {
			t.Errorf("flush: %v", err)
		}
		c.Abort()
	})
	if got := s.dial(t).hearAll(t); got != "" {
		t.Errorf("heard %q", got)
	}
}

// TestConcurrentWriters checks that frames of many writers, pings and the
// answers to pings do not mix.
func TestConcurrentWriters(t *testing.T) {
	t.Parallel()
	const writers, each = 8, 200
	s := startServer(t, &wsframe.Options{MaxControls: 1000}, false, func(c *wsframe.Conn) {
		var all sync.WaitGroup
		for w := range writers {
			frame := wsframe.AppendText(nil, []byte(strings.Repeat(string(rune('a'+w)), 300)))
			all.Go(func() {
				for range each {
					if err := c.WriteFrames(frame, frame); err != nil {
						t.Errorf("write: %v", err)
						return
					}
				}
			})
		}
		all.Go(func() {
			for range each {
				if err := c.Ping(); err != nil {
					t.Errorf("ping: %v", err)
				}
			}
		})
		var reader sync.WaitGroup
		reader.Go(func() {
			if code := closeCode(readOn(c)); code != wsframe.CodeNormal {
				t.Errorf("close code %d", code)
			}
		})
		all.Wait()
		reader.Wait()
	})
	p := s.dial(t)
	for range each {
		p.say(t, ping("hi"))
	}
	count := map[string]int{}
	for range 2*writers*each + 2*each {
		f, err := p.hear()
		if err != nil {
			t.Fatal(err)
		}
		if kind, text, _ := strings.Cut(f, ":"); kind != "text" {
			count[f]++
		} else {
			count[kind]++
			if len(text) != 300 || strings.Trim(text, text[:1]) != "" {
				t.Fatalf("frames are mixed: %q", text)
			}
		}
	}
	if count["text"] != 2*writers*each || count["pong:hi"] != each || count["ping:"] != each {
		t.Errorf("heard %v", count)
	}
	p.say(t, goodbye(1000, ""))
	p.hearAll(t)
}

// TestSlowReader checks that a client that does not read is dropped in time,
// and that its memory in the kernel goes with it.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	for _, wrapped := range []bool{false, true} {
		s := startServer(t, &wsframe.Options{WriteTimeout: 100 * time.Millisecond}, wrapped, func(c *wsframe.Conn) {
			frame := wsframe.AppendText(nil, make([]byte, 64<<10))
			var reader sync.WaitGroup
			reader.Go(func() {
				if err := readOn(c); !errors.Is(err, wsframe.ErrClosed) {
					t.Errorf("reading ended with %v", err)
				}
			})
			var err error
			for range 1000 { // 64 MB, more than any kernel keeps
				if err = c.WriteFrames(frame); err != nil {
					break
				}
			}
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("write: %v", err)
			}
			if again := c.WriteFrames(frame); !errors.Is(again, os.ErrDeadlineExceeded) {
				t.Errorf("write again: %v", again)
			}
			if err := c.Close(wsframe.CodeNormal, ""); err == nil {
				t.Error("close says that it could say goodbye")
			}
			reader.Wait()
		})
		p := s.dial(t)
		s.ended.Wait()
		if n, err := io.Copy(io.Discard, p); err == nil && !wrapped {
			t.Errorf("connection ended in an orderly way after %d bytes", n)
		}
	}
}

// TestSlowThenFast checks that a wait for a slow client leaves no deadline
// behind.
func TestSlowThenFast(t *testing.T) {
	t.Parallel()
	const timeout = 2 * time.Second
	s := startServer(t, &wsframe.Options{WriteTimeout: timeout}, false, func(c *wsframe.Conn) {
		frame := wsframe.AppendText(nil, make([]byte, 12<<20))
		if err := c.WriteFrames(frame); err != nil {
			t.Errorf("large frame: %v", err)
		}
		c.SetWake(time.Now().Add(timeout + timeout/4))
		if _, _, err := c.ReadMessage(); !errors.Is(err, wsframe.ErrWake) {
			t.Errorf("read: %v", err)
		}
		if err := c.WriteFrames(frame[:0], wsframe.AppendText(nil, nil)); err != nil {
			t.Errorf("later: %v", err)
		}
		c.Abort()
	})
	p := s.dial(t)
	if _, err := p.hear(); err != nil {
		t.Error(err)
	}
	if f, err := p.hear(); f != "text:" {
		t.Errorf("heard %q, %v", f, err)
	}
}

// TestCloseUnanswered checks that a client that does not take part in closing
// cannot hold the connection.
func TestCloseUnanswered(t *testing.T) {
	t.Parallel()
	for name, talk := range map[string]func(*peer) error{
		"silent":         func(*peer) error { return nil },
		"half a frame":   func(p *peer) error { _, err := p.Write([]byte{0x81}); return err },
		"goes on":        func(p *peer) error { _, err := p.Write(join(text("a"), ping("b"), textPart("c"))); return err },
		"breaks a rule":  func(p *peer) error { _, err := p.Write([]byte{0xff, 0xff}); return err },
		"ends its half":  func(p *peer) error { return p.Conn.(*net.TCPConn).CloseWrite() },
		"never stops":    func(p *peer) error { return flood(p, text(strings.Repeat("x", 1000))) },
		"answers":        func(p *peer) error { _, err := p.Write(goodbye(1000, "")); return err },
		"answers poorly": func(p *peer) error { _, err := p.Write(goodbye(1, "")); return err },
	} {
		for _, reading := range []bool{false, true} {
			s := startServer(t, &wsframe.Options{CloseTimeout: 200 * time.Millisecond}, false, func(c *wsframe.Conn) {
				var reader sync.WaitGroup
				if reading {
					reader.Go(func() {
						if err := readOn(c); !errors.Is(err, wsframe.ErrClosed) {
							t.Errorf("%s: reading ended with %v", name, err)
						}
					})
				}
				start := time.Now()
				if err := c.Close(wsframe.CodeGoingAway, "bye"); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				if took := time.Since(start); took > 5*time.Second {
					t.Errorf("%s: took %v", name, took)
				}
				reader.Wait()
				if err := c.Close(wsframe.CodeNormal, ""); err != nil {
					t.Errorf("%s: again: %v", name, err)
				}
			})
			p := s.dial(t)
			if f, err := p.hear(); f != "close:1001" {
				t.Errorf("%s: heard %q, %v", name, f, err)
			}
			if err := talk(p); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			s.ended.Wait()
			p.Close()
		}
	}
}

// flood writes until the connection is gone.
func flood(p *peer, frame []byte) error {
	for {
		if _, err := p.Write(frame); err != nil {
			return nil
		}
	}
}

// TestFloodAfterClose checks that bytes bound closing, not only time.
func TestFloodAfterClose(t *testing.T) {
	t.Parallel()
	s := startServer(t, &wsframe.Options{CloseTimeout: time.Hour}, false, func(c *wsframe.Conn) {
		if err := c.Close(wsframe.CodeNormal, ""); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	p := s.dial(t)
	_ = p.SetDeadline(time.Now().Add(20 * time.Second))
	for frame := text(strings.Repeat("x", 1000)); ; {
		if _, err := p.Write(frame); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("the server still listens")
			}
			break
		}
	}
	p.Close()
}

// TestFloodAfterBreach checks that the close code arrives although the client
// goes on sending, and that the sending comes to an end.
func TestFloodAfterBreach(t *testing.T) {
	t.Parallel()
	s := startServer(t, nil, false, func(c *wsframe.Conn) {
		if code := closeCode(readOn(c)); code != wsframe.CodeProtocol {
			t.Errorf("close code %d", code)
		}
	})
	p := s.dial(t)
	p.say(t, []byte{0x81, 0x01, 'x'})
	var writer sync.WaitGroup
	writer.Go(func() { _ = flood(p, make([]byte, 1000)) })
	if f, err := p.hear(); f != "close:1002" {
		t.Errorf("heard %q, %v", f, err)
	}
	writer.Wait()
}

func TestTextOnly(t *testing.T) {
	t.Parallel()
	s := startServer(t, &wsframe.Options{TextOnly: true}, false, func(c *wsframe.Conn) {
		if code := closeCode(readOn(c)); code != wsframe.CodeUnsupported {
			t.Errorf("close code %d", code)
		}
	})
	p := s.dial(t)
	p.say(t, text("yes"), []byte{0x82})
	if f, err := p.hear(); f != "close:1003" {
		t.Errorf("heard %q, %v", f, err)
	}
	p.Close()
}

// TestAbort checks that dropping a connection ends whoever uses it.
func TestAbort(t *testing.T) {
	t.Parallel()
	for _, wrapped := range []bool{false, true} {
		s := startServer(t, nil, wrapped, func(c *wsframe.Conn) {
			var reader sync.WaitGroup
			reader.Go(func() {
				if err := readOn(c); !errors.Is(err, wsframe.ErrClosed) {
					t.Errorf("reading ended with %v", err)
				}
			})
			c.Abort()
			c.Abort()
			reader.Wait()
			if err := c.Ping(); !errors.Is(err, wsframe.ErrClosed) {
				t.Errorf("ping: %v", err)
			}
		})
		p := s.dial(t)
		if got := p.hearAll(t); got != "" {
			t.Errorf("heard %q", got)
		}
	}
}

// TestHangUp checks a client that goes without a close frame.
func TestHangUp(t *testing.T) {
	t.Parallel()
	for name, send := range map[string][]byte{
		"between messages": text("a"), "within a header": {0x81}, "within a frame": text("hello")[:8], "between fragments": textPart("a"),
		"within a large frame": text(strings.Repeat("x", 20_000))[:9000],
	} {
		for _, wrapped := range []bool{false, true} {
			s := startServer(t, nil, wrapped, func(c *wsframe.Conn) {
				if err := c.Await(); err != nil {
					t.Errorf("%s: awaiting ended with %v", name, err)
				}
				err := readOn(c)
				if !errors.Is(err, io.EOF) {
					t.Errorf("%s: reading ended with %v", name, err)
				}
				if _, _, again := c.ReadMessage(); again != err {
					t.Errorf("%s: then with %v", name, again)
				}
				if err := c.Await(); err != nil {
					t.Errorf("%s: awaiting then ended with %v", name, err)
				}
			})
			p := s.dial(t)
			p.say(t, send)
			p.Close()
			s.ended.Wait()
		}
	}
}
