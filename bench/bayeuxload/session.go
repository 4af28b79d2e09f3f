package main

import (
	"bytes"
	"fmt"
	"net/netip"
	"strconv"
)

// session is one session of the server under test.
type session struct {
	run     *run
	index   int
	channel int // subscribed to; none if negative
	track   tracker
	client  client
	ready   bool
	onReady func()
	// onFree is called when a publish that was refused could work.
	onFree func()
}

// client speaks a session's protocol over its transport.
type client interface {
	// open connects, subscribes if the session wants that, and then calls
	// opened of the session.
	open() error
	// send publishes; the data is copied. It reports false while the client
	// has to wait.
	send(channel string, data []byte) bool
}

func (s *session) opened() {
	s.ready = true
	s.run.open++
	if s.onReady != nil {
		s.onReady()
	}
}

// lost ends the session: its messages will be missing in the result.
func (s *session) lost(err error) {
	s.ready = false
	s.run.fail(fmt.Errorf("session %d: %w", s.index, err))
}

// scan takes the marks out of what the server sent.
func (s *session) scan(payload []byte) int {
	n := eachMark(payload, func(m mark) { s.run.got(s, m) })
	if n > 0 {
		s.run.units++
		s.run.marks += int64(n)
	}
	return n
}

// newClient returns the session's client by the configuration.
func newClient(s *session, c *config) client {
	t := target{session: s, addr: c.server, host: c.server.String(), path: c.path}
	switch {
	case c.people:
		user := fmt.Sprintf("user%d", s.index)
		t.cookie, t.listensTo = "user="+user, userChannel+user
	case s.channel >= 0:
		t.listensTo = channelName(s.channel)
	}
	switch {
	case c.protocol == "centrifuge":
		return &centrifugeClient{target: t}
	case c.transport == "websocket":
		return &socketClient{target: t}
	}
	return &pollClient{target: t}
}

// target is what all clients have in common.
type target struct {
	*session
	addr      netip.AddrPort
	host      string
	path      string
	cookie    string
	listensTo string // channel that it subscribes to; empty for none
	id        int
	state     state
	buf       []byte // for building what is sent
}

// state is how far a session has been opened; it names the answer that is
// waited for.
type state int

const (
	upgrading state = iota
	shaking
	connecting
	subscribing
	running
)

func (t *target) nextID() string {
	t.id++
	return strconv.Itoa(t.id)
}

func (t *target) appendUpgrade(b []byte) []byte {
	b = append(b, "GET "+t.path+" HTTP/1.1\r\nHost: "+t.host+"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"...)
	b = t.appendCookie(b)
	return append(b, "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"...)
}

// appendCookie appends who the client is, and for people that their page is one of
// the server.
func (t *target) appendCookie(b []byte) []byte {
	if t.cookie != "" {
		b = append(b, "Cookie: "+t.cookie+"\r\n"...)
	}
	if t.run.people {
		b = append(b, "Origin: http://"+t.host+"\r\n"...)
	}
	return b
}

// receiveFrames hands the text frames of data to a function and answers pings.
func (t *target) receiveFrames(c *conn, data []byte, text func([]byte) error) (int, error) {
	used := 0
	if t.state == upgrading {
		r, n, err := parseResponse(data)
		if n == 0 || err != nil {
			return 0, err
		}
		if r.status != 101 {
			return 0, fmt.Errorf("no WebSocket: HTTP status %d", r.status)
		}
		used = n
		t.state = shaking
		if err := text(nil); err != nil {
			return used, err
		}
	}
	for {
		f, n, err := parseFrame(data[used:])
		if n == 0 || err != nil {
			return used, err
		}
		used += n
		switch f.opcode {
		case opText:
			if err := text(f.payload); err != nil {
				return used, err
			}
		case opPing:
			c.write(appendFrame(t.buf[:0], opPong, f.payload))
		case opClose:
			return used, fmt.Errorf("the server closed the WebSocket: %.140q", f.payload)
		}
	}
}

// ends returns the beginning and the end of a long payload: replies are there,
// and searching it all would cost more than reading it did.
func ends(payload []byte) (head, tail []byte) {
	const reach = 320
	if len(payload) <= 2*reach {
		return payload, nil
	}
	return payload[:reach], payload[len(payload)-reach:]
}

func endsContain(payload []byte, text string) bool {
	head, tail := ends(payload)
	return bytes.Contains(head, []byte(text)) || bytes.Contains(tail, []byte(text))
}
