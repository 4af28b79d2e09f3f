package main

import (
	"bufio"
	"context"
	"crypto/sha1" // the WebSocket protocol's choice
	"encoding/base64"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"sync"

	"github.com/coder/websocket"
)

// libraryPeer is a WebSocket of coder/websocket.
type libraryPeer struct{ conn *websocket.Conn }

func (p *libraryPeer) deliver(m message) {
	// A connection that broke is noticed by its reader.
	_ = p.conn.Write(context.Background(), websocket.MessageText, m.text)
}

func (s *server) serveLibrary(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return
	}
	defer conn.CloseNow()
	p := &libraryPeer{conn}
	for {
		_, text, err := conn.Read(context.Background())
		if err != nil {
			return
		}
		if reply := s.handle(text, p); reply != nil {
			p.deliver(newMessage(reply))
		}
	}
}

// framePeer is a connection on which frames are written by hand.
type framePeer struct {
	conn net.Conn
	mu   sync.Mutex
}

func (p *framePeer) deliver(m message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	// A connection that broke is noticed by its reader.
	_, _ = p.conn.Write(m.frame)
}

func (s *server) serveFrames(w http.ResponseWriter, r *http.Request) {
	key := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	answer := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
		base64.StdEncoding.EncodeToString(key[:]) + "\r\n\r\n"
	if _, err := io.WriteString(conn, answer); err != nil {
		_ = conn.Close()
		return
	}
	// The reader goes on in a goroutine of its own, so that net/http's buffers
	// and deep stack are given back.
	go s.readFrames(&framePeer{conn: conn})
}

func (s *server) readFrames(p *framePeer) {
	defer p.conn.Close()
	in := bufio.NewReaderSize(p.conn, 512)
	for {
		text, err := readFrame(in)
		if err != nil {
			return
		}
		if reply := s.handle(text, p); reply != nil {
			p.deliver(newMessage(reply))
		}
	}
}

// readFrame reads a masked frame with up to 64 KiB.
func readFrame(in *bufio.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(in, head[:2]); err != nil {
		return nil, err
	}
	size := int(head[1] & 0x7f)
	if size >= 126 {
		if _, err := io.ReadFull(in, head[2:]); err != nil {
			return nil, err
		}
		size = int(binary.BigEndian.Uint16(head[2:]))
	}
	masked := make([]byte, 4+size)
	if _, err := io.ReadFull(in, masked); err != nil {
		return nil, err
	}
	mask, text := masked[:4], masked[4:]
	if binary.BigEndian.Uint32(mask) != 0 {
		for i := range text {
			text[i] ^= mask[i&3]
		}
	}
	return text, nil
}
