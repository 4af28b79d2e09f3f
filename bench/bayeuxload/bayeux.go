package main

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// bayeuxSession builds a Bayeux session's messages. They are the ones that
// CometD's client sends, without what a load program has no use for.
type bayeuxSession struct {
	clientID string
	kind     string
}

func (b *bayeuxSession) handshake(t *target) string {
	return `[{"id":"` + t.nextID() + `","version":"1.0","minimumVersion":"1.0","channel":"/meta/handshake","supportedConnectionTypes":["` +
		b.kind + `"],"advice":{"timeout":60000,"interval":0}}]`
}

// connect returns a connect; the first one asks for an answer at once.
func (b *bayeuxSession) connect(t *target, first bool) string {
	advice := ""
	if first {
		advice = `"advice":{"timeout":0},`
	}
	return `[{"id":"` + t.nextID() + `","channel":"/meta/connect","connectionType":"` + b.kind + `",` + advice + `"clientId":"` + b.clientID + `"}]`
}

func (b *bayeuxSession) subscribe(t *target) string {
	return `[{"id":"` + t.nextID() + `","channel":"/meta/subscribe","subscription":"` + t.listensTo + `","clientId":"` + b.clientID + `"}]`
}

func (b *bayeuxSession) appendPublish(buf []byte, t *target, channel string, data []byte) []byte {
	buf = append(buf, `[{"channel":"`...)
	buf = append(buf, channel...)
	buf = append(buf, `","clientId":"`...)
	buf = append(buf, b.clientID...)
	buf = append(buf, `","id":"`...)
	t.id++
	buf = strconv.AppendInt(buf, int64(t.id), 10)
	buf = append(buf, `","data":`...)
	buf = append(buf, data...)
	return append(buf, "}]"...)
}

// userChannel is where a portal's pages are told what concerns their user.
const userChannel = "/eXo/Application/WebConferencing/user/"

// channelName is the Bayeux channel of a number.
func channelName(n int) string { return fmt.Sprintf("/bench/%04d", n) }

// opening takes the answer to one step of opening a session and returns the
// next message to send. Nothing to send means that the answer is still to come.
func (b *bayeuxSession) opening(t *target, payload []byte) (next string, err error) {
	if payload != nil && bytes.Contains(payload, []byte(`"successful":false`)) {
		return "", fmt.Errorf("refused: %.200s", payload)
	}
	has := func(channel string) bool { return bytes.Contains(payload, []byte(channel)) }
	switch {
	case t.state == shaking && payload == nil:
		return b.handshake(t), nil
	case t.state == shaking && has("/meta/handshake"):
		_, rest, _ := bytes.Cut(payload, []byte(`"clientId":"`))
		id, _, found := bytes.Cut(rest, []byte(`"`))
		if !found {
			return "", fmt.Errorf("no clientId: %.200s", payload)
		}
		b.clientID = string(id)
		t.state = connecting
		return b.connect(t, true), nil
	case t.state == connecting && has("/meta/connect"):
		if t.listensTo != "" {
			t.state = subscribing
			return b.subscribe(t), nil
		}
		t.state = running
		return b.connect(t, false), nil
	case t.state == subscribing && has("/meta/subscribe"):
		t.state = running
		return b.connect(t, false), nil
	}
	return "", nil
}

// hasConnect finds a connect's reply in a payload with n messages. Most have
// none, and to look for it in all of them would be the larger part of the load
// side's own work.
func hasConnect(payload []byte, n int) bool {
	if n > 0 && bytes.HasSuffix(payload, []byte(dataTail+"}]")) {
		payload = payload[:min(len(payload), 160)]
	}
	return endsContain(payload, `"/meta/connect"`)
}

// refused tells of a negative answer to a publish or connect.
func refused(payload []byte) error {
	if endsContain(payload, `"successful":false`) {
		return fmt.Errorf("refused: %.200s", payload)
	}
	return nil
}

// socketClient is Bayeux over WebSocket.
type socketClient struct {
	target
	bayeuxSession
	conn *conn
	text []byte
}

func (c *socketClient) open() (err error) {
	c.kind = "websocket"
	c.conn, err = c.run.loop.dial(c.addr, c)
	return err
}

func (c *socketClient) connected() { c.conn.write(c.appendUpgrade(c.buf[:0])) }

func (c *socketClient) received(data []byte) (int, error) {
	return c.receiveFrames(c.conn, data, c.message)
}

func (c *socketClient) frame(text string) { c.conn.write(appendFrame(nil, opText, []byte(text))) }

func (c *socketClient) message(payload []byte) error {
	if c.state == running {
		n := c.scan(payload)
		if n == 0 {
			if err := refused(payload); err != nil {
				return err
			}
		}
		if hasConnect(payload, n) {
			c.frame(c.connect(&c.target, false))
		}
		return nil
	}
	next, err := c.opening(&c.target, payload)
	if err != nil || next == "" {
		return err
	}
	c.frame(next)
	if c.state == running {
		c.opened()
	}
	return nil
}

func (c *socketClient) send(channel string, data []byte) bool {
	c.text = c.appendPublish(c.text[:0], &c.target, channel, data)
	c.buf = appendFrame(c.buf[:0], opText, c.text)
	c.conn.write(c.buf)
	return true
}

// pollClient is Bayeux over long-polling: one connection for connects, and one
// more for the rest once there is something to send, as browsers have it.
type pollClient struct {
	target
	bayeuxSession
	polls *conn
	sends *conn
	busy  bool // sends waits for a response
	text  []byte
}

func (c *pollClient) open() (err error) {
	c.kind = "long-polling"
	c.polls, err = c.run.loop.dial(c.addr, c)
	return err
}

func (c *pollClient) connected() {
	c.state = shaking
	c.post(c.polls, []byte(c.handshake(&c.target)))
}

func (c *pollClient) post(to *conn, body []byte) {
	b := append(c.buf[:0], "POST "...)
	b = append(b, c.path...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, c.host...)
	b = c.appendCookie(append(b, "\r\n"...))
	b = append(b, "Content-Type: application/json\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(body)), 10)
	b = append(b, "\r\n\r\n"...)
	c.buf = append(b, body...)
	to.write(c.buf)
}

// received handles responses on the connection for connects.
func (c *pollClient) received(data []byte) (int, error) {
	r, used, err := parseResponse(data)
	if used == 0 || err != nil {
		return 0, err
	}
	if r.status != 200 {
		return used, fmt.Errorf("HTTP status %d: %.100s", r.status, r.body)
	}
	if c.state == running {
		if c.scan(r.body) == 0 {
			if err := refused(r.body); err != nil {
				return used, err
			}
		}
		c.post(c.polls, []byte(c.connect(&c.target, false)))
		return used, nil
	}
	if c.state == shaking {
		name, _, _ := bytes.Cut(header(r.header, "Set-Cookie"), []byte(";"))
		if c.cookie != "" {
			c.cookie += "; "
		}
		c.cookie += string(name)
	}
	next, err := c.opening(&c.target, r.body)
	if err != nil {
		return used, err
	}
	if next == "" {
		return used, fmt.Errorf("unexpected response: %.200s", r.body)
	}
	c.post(c.polls, []byte(next))
	if c.state == running {
		c.opened()
	}
	return used, nil
}

func (c *pollClient) send(channel string, data []byte) bool {
	if c.busy {
		return false
	}
	if c.sends == nil {
		conn, err := c.run.loop.dial(c.addr, (*pollSender)(c))
		if err != nil {
			c.lost(err)
			return false
		}
		c.sends = conn
	}
	c.busy = true
	c.text = c.appendPublish(c.text[:0], &c.target, channel, data)
	c.post(c.sends, c.text)
	return true
}

// pollSender is a pollClient as the handler of its second connection.
type pollSender pollClient

func (c *pollSender) connected() {}

func (c *pollSender) received(data []byte) (int, error) {
	r, used, err := parseResponse(data)
	if used == 0 || err != nil {
		return 0, err
	}
	if r.status != 200 {
		return used, fmt.Errorf("HTTP status %d: %.100s", r.status, r.body)
	}
	// Before the marks are taken: what they set off may be the next send.
	c.busy = false
	if err := refused(r.body); err != nil {
		return used, err
	}
	c.scan(r.body)
	if c.onFree != nil {
		c.onFree()
	}
	return used, nil
}

func (c *pollSender) lost(err error) { c.session.lost(fmt.Errorf("second connection: %w", err)) }

// centrifugeClient speaks Centrifuge's own JSON protocol.
type centrifugeClient struct {
	target
	conn *conn
	text []byte
}

func (c *centrifugeClient) open() (err error) {
	c.conn, err = c.run.loop.dial(c.addr, c)
	return err
}

func (c *centrifugeClient) connected() { c.conn.write(c.appendUpgrade(c.buf[:0])) }

func (c *centrifugeClient) received(data []byte) (int, error) {
	return c.receiveFrames(c.conn, data, c.message)
}

func (c *centrifugeClient) frame(text string) { c.conn.write(appendFrame(nil, opText, []byte(text))) }

func (c *centrifugeClient) message(payload []byte) error {
	if c.state != running && bytes.Contains(payload, []byte(`"error"`)) {
		return fmt.Errorf("refused: %.200s", payload)
	}
	switch {
	case c.state == shaking && payload == nil:
		c.frame(`{"id":` + c.nextID() + `,"connect":{}}`)
	case c.state == shaking && bytes.Contains(payload, []byte(`"connect"`)):
		if c.channel < 0 {
			c.state = running
			c.opened()
			break
		}
		c.state = subscribing
		c.frame(`{"id":` + c.nextID() + `,"subscribe":{"channel":"` + channelName(c.channel) + `"}}`)
	case c.state == subscribing && bytes.Contains(payload, []byte(`"subscribe"`)):
		c.state = running
		c.opened()
	case c.state == running:
		if bytes.HasPrefix(payload, []byte("{}")) || bytes.HasSuffix(payload, []byte("\n{}")) {
			c.frame("{}") // the pong
		}
		if c.scan(payload) == 0 && endsContain(payload, `"error"`) {
			return fmt.Errorf("refused: %.200s", payload)
		}
	default:
		return errors.New("unexpected message")
	}
	return nil
}

// send publishes, or calls if the channel is the echo service's.
func (c *centrifugeClient) send(channel string, data []byte) bool {
	b := append(c.text[:0], `{"id":`...)
	c.id++
	b = strconv.AppendInt(b, int64(c.id), 10)
	if channel == echoChannel {
		b = append(b, `,"rpc":{"method":"echo`...)
	} else {
		b = append(b, `,"publish":{"channel":"`...)
		b = append(b, channel...)
	}
	b = append(b, `","data":`...)
	b = append(b, data...)
	c.text = append(b, "}}"...)
	c.buf = appendFrame(c.buf[:0], opText, c.text)
	c.conn.write(c.buf)
	return true
}
