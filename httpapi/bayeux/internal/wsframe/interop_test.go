package wsframe_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"

	"github.com/webconferencing/webconferencing/httpapi/bayeux/internal/wsframe"
)

// echo sends every message back.
func echo(c *wsframe.Conn) {
	for {
		kind, payload, err := c.ReadMessage()
		if err != nil {
			return
		}
		frame := wsframe.AppendBinary(nil, payload)
		if kind == wsframe.Text {
			frame = wsframe.AppendText(nil, payload)
		}
		if c.WriteFrames(frame) != nil {
			c.Abort()
		}
	}
}

// TestInterop lets another implementation be the client, over HTTP and HTTPS.
func TestInterop(t *testing.T) {
	t.Parallel()
	up := newUpgrader(t, &wsframe.Options{MaxMessageBytes: 1 << 20, MaxFragments: 1 << 10, Subprotocols: []string{"echo"}})
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("secure=%v", secure), func(t *testing.T) {
			t.Parallel()
			var all sync.WaitGroup
			ts := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				c, err := up.Upgrade(w, r)
				if err != nil {
					t.Errorf("upgrade: %v", err)
					return
				}
				go func() {
					defer all.Done()
					echo(c)
				}()
			}))
			if secure {
				ts.StartTLS()
			} else {
				ts.Start()
			}
			defer ts.Close()
			all.Add(1)
			conn, _, err := websocket.Dial(t.Context(), ts.URL, &websocket.DialOptions{HTTPClient: ts.Client(), Subprotocols: []string{"x", "echo"}})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.CloseNow()
			if conn.Subprotocol() != "echo" {
				t.Errorf("subprotocol %q", conn.Subprotocol())
			}
			conn.SetReadLimit(1 << 20)
			exchange(t, conn)
			if err := conn.Close(4001, "done"); err != nil {
				t.Errorf("close: %v", err)
			}
			all.Wait()
		})
	}
}

func exchange(t *testing.T, conn *websocket.Conn) {
	t.Helper()
	for _, n := range []int{0, 1, 125, 126, 127, 1000, 4090, 4096, 5000, 65535, 65536, 1 << 20} {
		for _, pieces := range []int{1, 3, 60} {
			want := bytes.Repeat([]byte("ab"), n/2+1)[:n]
			w, err := conn.Writer(t.Context(), websocket.MessageText)
			if err != nil {
				t.Fatal(err)
			}
			for i := range pieces {
				if _, err := w.Write(want[n*i/pieces : n*(i+1)/pieces]); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			kind, got, err := conn.Read(t.Context())
			if err != nil || kind != websocket.MessageText || !bytes.Equal(got, want) {
				t.Fatalf("%d bytes in %d pieces: %v, %d bytes came back: %v", n, pieces, kind, len(got), err)
			}
		}
	}
	if err := conn.Write(t.Context(), websocket.MessageBinary, []byte{0xff}); err != nil {
		t.Fatal(err)
	}
	if kind, got, err := conn.Read(t.Context()); err != nil || kind != websocket.MessageBinary || string(got) != "\xff" {
		t.Errorf("binary: %v %q %v", kind, got, err)
	}
	ctx := conn.CloseRead(t.Context())
	for range 5 {
		if err := conn.Ping(ctx); err != nil {
			t.Errorf("ping: %v", err)
		}
	}
}

// TestInteropServerCloses checks that the other implementation understands why
// the server closes.
func TestInteropServerCloses(t *testing.T) {
	t.Parallel()
	s := startServer(t, nil, false, func(c *wsframe.Conn) {
		if err := c.Ping(); err != nil {
			t.Error(err)
		}
		if err := c.Close(4408, strings.Repeat("ю", 100)); err != nil {
			t.Error(err)
		}
	})
	conn, _, err := websocket.Dial(t.Context(), "ws://"+s.addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	_, _, err = conn.Read(context.Background())
	var closed websocket.CloseError
	if !errors.As(err, &closed) || closed.Code != 4408 || closed.Reason != strings.Repeat("ю", 61) {
		t.Errorf("client saw %v", err)
	}
	if _, _, err := conn.Read(context.Background()); err == nil || errors.Is(err, io.ErrNoProgress) {
		t.Errorf("then %v", err)
	}
}
