package bayeux

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"
)

// WebSocket close codes that the server uses.
const (
	closeNormal       = 1000
	closeGoingAway    = 1001
	closeProtocol     = 1002
	closeUnsupported  = 1003
	closeInvalidText  = 1007
	closePolicy       = 1008
	closeTryAgain     = 1013
	closeUnauthorized = 4401
	closeExpired      = 4402
	closeSlow         = 4408
)

// wsConn is all that the server needs of a WebSocket. Reads belong to one
// goroutine, writes to one other; the rest may be called by anybody.
type wsConn struct {
	conn  *websocket.Conn
	spawn func(func()) // runs a goroutine that the server waits for

	mu       sync.Mutex
	controls int       // ping and pong frames in the present second
	second   time.Time // when it began
}

func acceptSocket(w http.ResponseWriter, r *http.Request, limit int, protocol string, spawn func(func())) (*wsConn, error) {
	c := &wsConn{spawn: spawn}
	var protocols []string
	if protocol != "" {
		protocols = []string{protocol}
	}
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true, // the Origin has been checked
		Subprotocols:       protocols,
		CompressionMode:    websocket.CompressionDisabled,
		OnPingReceived:     func(context.Context, []byte) bool { return c.control() },
		OnPongReceived:     func(context.Context, []byte) { c.control() },
	})
	if err != nil {
		return nil, err
	}
	conn.SetReadLimit(int64(limit))
	c.conn = conn
	return c, nil
}

// control counts a control frame and reports whether it may be answered.
func (c *wsConn) control() bool {
	const most = 10 // a second
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if now.Sub(c.second) >= time.Second {
		c.second, c.controls = now, 0
	}
	c.controls++
	if c.controls == most+1 {
		// Closing waits for the reader, which is in this call.
		c.spawn(func() { c.close(closePolicy, "too many control frames") })
	}
	return c.controls <= most
}

// closeFault is a reading error for which the connection is to be closed with
// a certain code.
type closeFault struct {
	code   int
	reason string
}

func (f *closeFault) Error() string { return f.reason }

// buffers are reused between messages of all connections, so that an idle
// connection has none.
type buffers struct{ pool sync.Pool }

func (b *buffers) get() *bytes.Buffer {
	if buf, ok := b.pool.Get().(*bytes.Buffer); ok {
		return buf
	}
	return new(bytes.Buffer)
}

func (b *buffers) put(buf *bytes.Buffer) {
	buf.Reset()
	b.pool.Put(buf)
}

// read waits for the next message. Once the message has begun it must be
// complete within the timeout and in a bounded number of fragments.
func (c *wsConn) read(pool *buffers, timeout time.Duration) ([]byte, error) {
	kind, reader, err := c.conn.Reader(context.Background())
	if err != nil {
		return nil, err
	}
	if kind != websocket.MessageText {
		return nil, &closeFault{closeUnsupported, "text only"}
	}
	late := time.AfterFunc(timeout, func() {
		c.spawn(func() { c.close(closePolicy, "message timeout") })
	})
	defer late.Stop()
	buf := pool.get()
	defer pool.put(buf)
	if err := readFragments(buf, reader); err != nil {
		return nil, err
	}
	if !utf8.Valid(buf.Bytes()) {
		return nil, &closeFault{closeInvalidText, "invalid UTF-8"}
	}
	return bytes.Clone(buf.Bytes()), nil
}

func readFragments(buf *bytes.Buffer, reader io.Reader) error {
	const most, small = 64, 512
	tiny := 0
	for {
		buf.Grow(small)
		free := buf.AvailableBuffer()
		n, err := reader.Read(free[:cap(free)])
		buf.Write(free[:n])
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		// A read returns less than was asked for at the end of a fragment or
		// of what has arrived; only many small ones are an attack.
		if n < small {
			if tiny++; tiny > most {
				return &closeFault{closePolicy, "too many fragments"}
			}
		}
	}
}

func (c *wsConn) write(frame []byte, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return c.conn.Write(ctx, websocket.MessageText, frame)
}

// ping waits for the pong.
func (c *wsConn) ping(timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return c.conn.Ping(ctx)
}

// close says goodbye and waits a few seconds for the other end to do so.
func (c *wsConn) close(code int, reason string) {
	const most = 120 // bytes; a close frame holds 123
	if len(reason) > most {
		reason = reason[:most]
	}
	// Whether the other end heard it makes no difference.
	_ = c.conn.Close(websocket.StatusCode(code), reason)
}

// abort drops the connection.
func (c *wsConn) abort() { _ = c.conn.CloseNow() }
