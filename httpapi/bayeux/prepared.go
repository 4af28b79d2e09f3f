package bayeux

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux/internal/wsframe"
)

// Prepared is a message to clients, encoded once and shared by all sessions
// that it is delivered to. It is immutable and safe for concurrent use.
type Prepared struct {
	channel string
	frame   []byte // a JSON array holding the one message
	wire    []byte // the same as a WebSocket frame, in the same memory

	replayed bool // made for one session, that had missed it
}

// Channel returns the channel that the message will carry.
func (p *Prepared) Channel() string { return p.channel }

// JSON returns the message as one JSON object. It must not be changed.
func (p *Prepared) JSON() json.RawMessage { return p.frame[1 : len(p.frame)-1] }

// overhead is what a queued message costs besides its own bytes.
const overhead = 64

func (p *Prepared) cost() int { return len(p.frame) + overhead }

// Prepare encodes a message for delivery. The channel must be concrete and not
// a meta channel, else the error is [ErrChannel]. Data and each field must be
// valid JSON, else it is [ErrData]; nil data is sent as null. Fields become
// further top-level members (for instance id and successful in the result of a
// remote call); channel, data, clientId and advice cannot be set by them.
// The arguments are copied.
func Prepare(channel string, data json.RawMessage, fields map[string]json.RawMessage) (*Prepared, error) {
	const maxBytes, maxSegments = 4096, 256
	name, ok := canonicalChannel(channel, maxBytes, maxSegments)
	if !ok || isMeta(name) || isWildcard(name) || name == "/service" {
		return nil, fmt.Errorf("prepare message: %w: %q", ErrChannel, channel)
	}
	if data == nil {
		data = json.RawMessage("null")
	}
	if err := checkData(data); err != nil {
		return nil, fmt.Errorf("prepare message: %w", err)
	}
	var extra []member
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		switch key {
		case "channel", "data", "clientId", "advice":
			return nil, fmt.Errorf("prepare message: %w: field %q is reserved", ErrData, key)
		}
		if err := checkJSON(fields[key], maxPrepared, len(fields[key])+1); err != nil {
			return nil, fmt.Errorf("prepare message: %w: field %q: %w", ErrData, key, err)
		}
		extra = append(extra, member{key, fields[key]})
	}
	return encodeDelivery(name, data, extra), nil
}

// maxPrepared is the depth of what the application sends.
const maxPrepared = 256

func checkData(data json.RawMessage) error {
	if err := checkJSON(data, maxPrepared, len(data)+1); err != nil {
		return fmt.Errorf("%w: data: %w", ErrData, err)
	}
	return nil
}

// encodeDelivery forms a message from parts that were checked before.
func encodeDelivery(channel string, data []byte, extra []member) *Prepared {
	size := 32 + len(channel) + len(data)
	for _, f := range extra {
		size += len(f.name) + len(f.value) + 4
	}
	b := make([]byte, wsframe.HeaderRoom, wsframe.HeaderRoom+size)
	b = append(b, `[{"channel":`...)
	b = appendString(b, channel)
	for _, f := range extra {
		b = append(b, ',')
		b = appendString(b, f.name)
		b = append(b, ':')
		b = append(b, f.value...)
	}
	if data != nil {
		b = append(b, `,"data":`...)
		b = append(b, data...)
	}
	return framed(channel, append(b, "}]"...))
}

// framed makes a message of an array with its JSON, which comes after room for
// a frame's header.
func framed(channel string, b []byte) *Prepared {
	return &Prepared{channel: channel, frame: b[wsframe.HeaderRoom:], wire: wsframe.FinishText(b)}
}

// Prepare is [Prepare] with the server's limits on channel names.
func (srv *Server) Prepare(channel string, data json.RawMessage, fields map[string]json.RawMessage) (*Prepared, error) {
	if _, ok := canonicalChannel(channel, srv.opts.MaxChannelBytes, srv.opts.MaxChannelSegments); !ok {
		return nil, fmt.Errorf("prepare message: %w: %q", ErrChannel, channel)
	}
	if srv.opts.Timestamp {
		fields = maps.Clone(fields)
		if fields == nil {
			fields = make(map[string]json.RawMessage)
		}
		fields["timestamp"] = timestamp()
	}
	return Prepare(channel, data, fields)
}

// encode is encodeDelivery with what the options add to every message.
func (srv *Server) encode(channel string, data []byte, extra []member) *Prepared {
	if srv.opts.Timestamp {
		extra = slices.DeleteFunc(slices.Clone(extra), func(f member) bool { return f.name == "timestamp" })
		extra = append(extra, member{"timestamp", timestamp()})
	}
	return encodeDelivery(channel, data, extra)
}

// timestamp is the present time as a JSON string, in the specification's form.
func timestamp() []byte {
	return time.Now().UTC().AppendFormat(nil, `"2006-01-02T15:04:05.00"`)
}

// joinFrame packs messages into one JSON array.
func joinFrame(list []*Prepared, replies ...[]byte) []byte {
	if len(list) == 1 && len(replies) == 0 {
		return list[0].frame
	}
	return appendFrame(make([]byte, 0, frameSize(list, replies)), list, replies)
}

// frameSize returns how long the array of messages will be, or a little more.
func frameSize(list []*Prepared, replies [][]byte) int {
	size := 2
	for _, p := range list {
		size += len(p.frame)
	}
	for _, r := range replies {
		size += len(r) + 1
	}
	return size
}

func appendFrame(b []byte, list []*Prepared, replies [][]byte) []byte {
	b = append(b, '[')
	for _, p := range list {
		b = append(b, p.JSON()...)
		b = append(b, ',')
	}
	for _, r := range replies {
		b = append(b, r...)
		b = append(b, ',')
	}
	b[len(b)-1] = ']'
	return b
}
