package wsframe_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/webconferencing/webconferencing/httpapi/bayeux/internal/wsframe"
)

// tape is a connection whose other end said everything beforehand.
type tape struct {
	net.Conn // nil; only the methods below are used
	rest     []byte
	step     int
	out      bytes.Buffer
}

func (c *tape) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.rest[:min(c.step, len(c.rest))])
	c.rest = c.rest[n:]
	return n, nil
}

func (c *tape) Write(p []byte) (int, error)    { return c.out.Write(p) }
func (*tape) Close() error                     { return nil }
func (*tape) SetDeadline(time.Time) error      { return nil }
func (*tape) SetReadDeadline(time.Time) error  { return nil }
func (*tape) SetWriteDeadline(time.Time) error { return nil }
func (c *tape) CloseWrite() error              { return nil }
func (c *tape) heard() *peer                   { return &peer{c, bufio.NewReader(&c.out)} }

const (
	fuzzMessage   = 6000
	fuzzFragments = 5
)

// reference decodes everything at once, in the plainest way. It returns the
// messages and the frames that a server has to send.
func reference(b []byte) (gets, hears []string) {
	var message []byte
	parts, kind := 0, byte(0)
	end := func(code int) ([]string, []string) {
		return gets, append(hears, fmt.Sprintf("close:%d", code))
	}
	for {
		if len(b) == 0 {
			return gets, hears
		}
		first := b[0]
		op, fin, control := first&15, first >= 128, first&8 != 0
		if first&0x70 != 0 || !slices.Contains([]byte{0, 1, 2, 8, 9, 10}, op) || control && !fin {
			return end(1002)
		}
		if !control && (op == 0) != (parts > 0) {
			return end(1002)
		}
		if !control && parts == fuzzFragments {
			return end(1008)
		}
		if len(b) > 1 && (b[1] < 128 || control && b[1] > 128+125) {
			return end(1002)
		}
		head, size := 2, uint64(0)
		if len(b) > 1 {
			size = uint64(b[1] - 128)
			if long := map[uint64]int{126: 2, 127: 8}[size]; long > 0 && len(b) >= 2+long {
				size = 0
				for _, x := range b[2 : 2+long] {
					size = size<<8 | uint64(x)
				}
				if size < 126 || long == 8 && size < 65536 || size > 1<<63-1 {
					return end(1002)
				}
				head += long
			} else if long > 0 {
				head = len(b) // incomplete
			}
		}
		if len(b) < head+4 {
			return gets, hears
		}
		if !control && size+uint64(len(message)) > fuzzMessage {
			return end(1009)
		}
		mask, rest := b[head:head+4], b[head+4:]
		if uint64(len(rest)) < size {
			return gets, hears
		}
		payload := make([]byte, size)
		for i := range payload {
			payload[i] = rest[i] ^ mask[i%4]
		}
		b = rest[size:]
		switch op {
		case 9:
			hears = append(hears, "pong:"+string(payload))
			continue
		case 10:
			continue
		case 8:
			if len(payload) == 0 {
				return gets, append(hears, "close:")
			}
			if len(payload) == 1 {
				return end(1002)
			}
			code := int(payload[0])<<8 | int(payload[1])
			if code < 1000 || code > 4999 || code > 1014 && code < 3000 || slices.Contains([]int{1004, 1005, 1006}, code) {
				return end(1002)
			}
			if !utf8.Valid(payload[2:]) {
				return end(1007)
			}
			return end(code)
		}
		if parts++; parts == 1 {
			kind = op
		}
		message = append(message, payload...)
		if kind == 1 && (fin && !utf8.Valid(message) || !fin && !mayBecomeText(message)) {
			return end(1007)
		}
		if fin {
			gets = append(gets, describe(wsframe.Kind(kind), message))
			message, parts = nil, 0
		}
	}
}

// mayBecomeText tries out what may come next.
func mayBecomeText(p []byte) bool {
	tails := []string{""}
	for from, depth := 0, 0; depth <= 3; depth++ {
		until := len(tails)
		for _, tail := range tails[from:] {
			if utf8.ValidString(string(p) + tail) {
				return true
			}
			tails = append(tails, tail+"\x80", tail+"\x90", tail+"\xa0")
		}
		from = until
	}
	return false
}

type tapeGiver struct {
	*httptest.ResponseRecorder
	tape *tape
}

func (g tapeGiver) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return g.tape, bufio.NewReadWriter(bufio.NewReader(g.tape), bufio.NewWriter(g.tape)), nil
}

func FuzzReader(f *testing.F) {
	for i, r := range rules() {
		if len(r.send) < 3000 {
			f.Add(r.send, i%50+1)
		}
	}
	up, err := wsframe.New(&wsframe.Options{MaxMessageBytes: fuzzMessage, MaxFragments: fuzzFragments, MaxControls: 1 << 30})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte, step int) {
		wantGets, wantHears := reference(b)
		for name, read := range readers {
			r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(request + "\r\n")))
			if err != nil {
				t.Fatal(err)
			}
			tp := &tape{rest: b, step: max(step, 1)}
			c, err := up.Upgrade(tapeGiver{httptest.NewRecorder(), tp}, r)
			if err != nil {
				t.Fatal(err)
			}
			p := tp.heard()
			if _, err := http.ReadResponse(p.in, nil); err != nil {
				t.Fatal(err)
			}
			var gets []string
			for {
				kind, payload, err := read(c)
				if err != nil {
					break
				}
				gets = append(gets, describe(kind, payload))
			}
			if !slices.Equal(gets, wantGets) {
				t.Errorf("%s: got %.300q, want %.300q", name, gets, wantGets)
			}
			if hears := p.hearAll(t); hears != strings.Join(wantHears, " ") {
				t.Errorf("%s: heard %.300q, want %.300q", name, hears, wantHears)
			}
		}
	})
}
