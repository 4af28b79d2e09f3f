package bayeux

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Message is one Bayeux message from a client, checked but otherwise as it was
// sent. Except for SetReplyExt it is read-only and may be read concurrently. Raw values refer to the
// request's memory: they are valid as long as they are kept, and must not be
// changed.
type Message struct {
	// Channel is the channel without a trailing slash.
	Channel string

	// ID is the message id as text, empty if the client gave none.
	ID string

	// Data is the payload, nil if there was none.
	Data json.RawMessage

	// Subscriptions are the channels of a subscribe or unsubscribe message,
	// without trailing slashes; nil elsewhere.
	Subscriptions []string

	clientID        string
	wireChannel     string
	subscription    []byte
	hasSubscription bool
	advice          clientAdvice
	fault           string   // what is wrong with its basic fields
	misuse          string   // what is wrong for its channel
	raw             []byte   // the message's text
	others          []member // fields that are not common to all messages
	ext             []member
	received        time.Time
	replyExt        []member // what hooks add to the reply's ext
}

// clientAdvice is what a client asks for in a connect.
type clientAdvice struct {
	present     bool
	hasTimeout  bool
	hasInterval bool
	timeout     time.Duration
	interval    time.Duration
}

// Field returns the top-level field of that exact name as raw JSON.
func (m *Message) Field(name string) (json.RawMessage, bool) {
	switch name {
	case "clientId":
		return nil, false
	case "data":
		return m.Data, m.Data != nil
	}
	if isCommon(name) {
		return lookup(members(m.raw), name)
	}
	return lookup(m.others, name)
}

// isCommon reports whether a field is one that most messages have. It is not
// among the others, so that there are none in most messages.
func isCommon(name string) bool {
	switch name {
	case "id", "channel", "clientId", "connectionType", "data":
		return true
	}
	return false
}

// StringField returns the top-level field of that name if it is a string,
// otherwise nothing.
func (m *Message) StringField(name string) string {
	raw, _ := m.Field(name)
	text, _ := stringValue(raw)
	return text
}

// Ext returns the member of that name of the ext object as raw JSON.
func (m *Message) Ext(name string) (json.RawMessage, bool) {
	return lookup(m.ext, name)
}

// SetReplyExt puts a member into the ext of the reply to this message; nil
// removes it. Hooks may call it until they return, not later and not
// concurrently. It fails with [ErrData] if the value is not valid JSON.
func (m *Message) SetReplyExt(name string, value json.RawMessage) error {
	const maxDepth = 64
	if value != nil {
		if err := checkJSON(value, maxDepth, len(value)+1); err != nil {
			return fmt.Errorf("reply ext %q: %w: %w", name, ErrData, err)
		}
	}
	m.replyExt = slices.DeleteFunc(m.replyExt, func(f member) bool { return f.name == name })
	if value != nil {
		m.replyExt = append(m.replyExt, member{name, slices.Clone(value)})
	}
	return nil
}

// ReplyExt returns what SetReplyExt has set for the name.
func (m *Message) ReplyExt(name string) (json.RawMessage, bool) { return lookup(m.replyExt, name) }

// detach copies the message, so that it does not keep the rest of the
// request's memory alive.
func (m *Message) detach() *Message {
	c := *m
	c.subscription, c.others = nil, nil
	raw := bytes.Clone(m.raw)
	// It was checked when it was read.
	_, _ = c.split(&scanner{text: raw, maxDepth: len(raw), tokens: len(raw)})
	return &c
}

// basics are the raw values of fields that every message has.
type basics struct{ id, channel, client []byte }

// split takes the message apart, which begins where the scanner is.
func (m *Message) split(s *scanner) (b basics, err error) {
	from := s.at
	err = s.object(func(f member) {
		switch f.name {
		case "id":
			b.id = f.value
		case "channel":
			b.channel = f.value
		case "clientId":
			b.client = f.value
		case "data":
			m.Data = f.value
		case "ext":
			m.ext = members(f.value)
		}
		if !isCommon(f.name) {
			m.others = append(m.others, f)
		}
	})
	m.raw = s.text[from:s.at:s.at]
	return b, err
}

// familiar is text that the messages of a client have again and again, so that
// it needs no new memory each time.
type familiar struct {
	client  string // the client's id
	channel string // a service channel in canonical form
}

// decodeBatch reads the messages of one request or frame. It fails for text
// that is not JSON or is over a limit; a message that is merely wrong gets a
// fault, so that its neighbours are still served.
func decodeBatch(body []byte, o *Options) ([]*Message, error) {
	return decodeInto(nil, body, o, familiar{})
}

// decodeInto is decodeBatch into the room that an empty list has, if that is
// enough.
func decodeInto(list []*Message, body []byte, o *Options, f familiar) ([]*Message, error) {
	s := &scanner{text: body, maxDepth: o.MaxDepth, tokens: o.MaxTokens}
	s.space()
	if s.peek() == '{' {
		m, err := decodeMessage(s, o, f)
		if err != nil {
			return nil, err
		}
		return append(list, m), s.end()
	}
	if s.peek() != '[' {
		return nil, errJSON
	}
	if err := s.enter(); err != nil {
		return nil, err
	}
	for more := s.peek() != ']'; more; {
		if len(list) == o.MaxBatch {
			return nil, errBatchSize
		}
		s.tokens = o.MaxTokens
		m, err := decodeMessage(s, o, f)
		if err != nil {
			return nil, err
		}
		list = append(list, m)
		if more, err = s.next(']'); err != nil {
			return nil, err
		}
	}
	if len(list) == 0 {
		return nil, errJSON
	}
	return list, s.end()
}

func (s *scanner) end() error {
	s.space()
	if s.at != len(s.text) {
		return errJSON
	}
	return nil
}

func decodeMessage(s *scanner, o *Options, f familiar) (*Message, error) {
	if s.peek() != '{' {
		return nil, errJSON
	}
	m := new(Message)
	b, err := m.split(s)
	if err != nil {
		return nil, err
	}
	m.interpret(b, o, f)
	return m, nil
}

// interpret reads the fields that the protocol knows. The first thing that is
// wrong becomes the message's fault.
func (m *Message) interpret(b basics, o *Options, known familiar) {
	if b.id != nil && string(b.id) != "null" {
		var ok bool
		if m.ID, ok = messageID(b.id); !ok {
			m.blame(errMessageIDInvalid)
		}
	}
	if isText(b.client, known.client) {
		m.clientID = known.client
	} else {
		m.clientID, _ = stringValue(b.client)
	}
	if isText(b.channel, known.channel) {
		m.Channel, m.wireChannel = known.channel, known.channel
	} else {
		m.interpretChannel(b.channel, o)
	}
	if m.Channel == metaConnect {
		m.interpretAdvice()
	}
	if m.Channel == metaSubscribe || m.Channel == metaUnsubscribe {
		m.interpretSubscription(o)
	}
}

// isText reports whether raw is a text that has nothing to escape. It may say
// no if it is.
func isText(raw []byte, text string) bool {
	return text != "" && len(raw) == len(text)+2 && raw[0] == '"' && string(raw[1:len(raw)-1]) == text
}

func (m *Message) interpretChannel(raw []byte, o *Options) {
	if raw == nil || string(raw) == "null" {
		m.blame(errChannelMissing)
		return
	}
	name, ok := stringValue(raw)
	if !ok {
		m.blame(errChannelInvalid)
		return
	}
	if len(name) <= o.MaxChannelBytes {
		m.wireChannel = name
	}
	if m.Channel, ok = canonicalChannel(name, o.MaxChannelBytes, o.MaxChannelSegments); !ok {
		m.blame(errChannelInvalid)
	}
}

func (m *Message) blame(fault string) {
	if m.fault == "" {
		m.fault = fault
	}
}

// messageID reads an id: letters and digits, or an unsigned whole number.
func messageID(raw []byte) (string, bool) {
	const maxID = 64
	inner := raw
	if raw[0] == '"' {
		inner = raw[1 : len(raw)-1]
	}
	// Escapes could only spell letters and digits, in six bytes each.
	if len(inner) > 6*maxID {
		return "", false
	}
	id := unescape(inner)
	if id == "" || len(id) > maxID {
		return "", false
	}
	for i := 0; i < len(id); i++ {
		switch c := id[i]; {
		case c >= '0' && c <= '9':
		case raw[0] == '"' && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'):
		default:
			return "", false
		}
	}
	return id, true
}

func (m *Message) interpretAdvice() {
	raw, ok := lookup(m.others, "advice")
	if !ok || string(raw) == "null" {
		return
	}
	if raw[0] != '{' {
		m.misuse = errAdviceInvalid
		return
	}
	m.advice.present = true
	for _, f := range members(raw) {
		if f.name != "timeout" && f.name != "interval" || string(f.value) == "null" {
			continue
		}
		ms, err := strconv.ParseFloat(string(f.value), 64)
		if err != nil {
			m.misuse = errAdviceInvalid
			return
		}
		if ms < 0 {
			continue
		}
		// A day is above every cap, and keeps the product from overflowing.
		const day = 24 * 60 * 60 * 1000
		d := time.Duration(min(ms, day)) * time.Millisecond
		if f.name == "timeout" {
			m.advice.hasTimeout, m.advice.timeout = true, d
		} else {
			m.advice.hasInterval, m.advice.interval = true, d
		}
	}
}

func (m *Message) interpretSubscription(o *Options) {
	raw, ok := lookup(m.others, "subscription")
	if !ok || string(raw) == "null" {
		m.misuse = errSubscriptionMissing
		return
	}
	m.hasSubscription, m.subscription = true, raw
	var names []string
	switch raw[0] {
	case '"':
		name, _ := stringValue(raw)
		names = []string{name}
	case '[':
		if names, ok = stringList(raw); !ok {
			m.misuse = errSubscriptionInvalid
			return
		}
	}
	if len(names) == 0 {
		m.misuse = errSubscriptionInvalid
		return
	}
	for i, name := range names {
		if names[i], ok = canonicalChannel(name, o.MaxChannelBytes, o.MaxChannelSegments); !ok {
			m.misuse = errSubscriptionInvalid
			return
		}
	}
	m.Subscriptions = names
}

// stringList reads a checked array of strings.
func stringList(raw []byte) ([]string, bool) {
	var list []string
	for _, e := range elements(raw) {
		text, ok := stringValue(e)
		if !ok {
			return nil, false
		}
		list = append(list, text)
	}
	return list, true
}

// reply collects what goes into the answer to one message.
type reply struct {
	to      *Message
	ok      bool
	err     string
	advice  string
	ext     []byte
	members []byte // further members, each with a leading comma
	bare    bool   // a hook may still be writing to the message's reply ext
	ref     string // of a log line, for the ext
}

// encode forms the reply's JSON.
func (r *reply) encode() []byte {
	return r.appendTo(make([]byte, 0, 128+len(r.members)+len(r.ext)+len(r.to.subscription)))
}

// appendTo appends the reply's JSON.
func (r *reply) appendTo(b []byte) []byte {
	m := r.to
	if !r.bare {
		for _, f := range m.replyExt {
			if r.ref == "" || f.name != "ref" {
				r.ext = appendMember(r.ext, f.name, f.value)
			}
		}
	}
	if r.ref != "" {
		r.ext = appendMember(r.ext, "ref", refJSON(r.ref))
	}
	b = append(b, '{')
	if m.ID != "" {
		b = append(b, `"id":"`...)
		b = append(b, m.ID...)
		b = append(b, `",`...)
	}
	if m.wireChannel != "" {
		b = append(b, `"channel":`...)
		b = appendString(b, m.wireChannel)
		b = append(b, ',')
	}
	if m.hasSubscription {
		b = append(b, `"subscription":`...)
		b = append(b, m.subscription...)
		b = append(b, ',')
	}
	if r.ok {
		b = append(b, `"successful":true`...)
	} else {
		b = append(b, `"successful":false`...)
	}
	if r.err != "" {
		b = append(b, `,"error":`...)
		b = appendString(b, r.err)
	}
	if r.advice != "" {
		b = append(b, `,"advice":`...)
		b = append(b, r.advice...)
	}
	if r.ext != nil {
		b = append(b, `,"ext":`...)
		b = append(b, r.ext...)
	}
	b = append(b, r.members...)
	return append(b, '}')
}
