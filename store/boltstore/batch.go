package boltstore

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/store/internal/change"
)

// A journal batch holds the events of one change under the position of its last
// event; positions within are consecutive. Its payload is
//
//	newest time of the events
//	topics:  number, then each as bytes
//	lists:   number, then each as number and places in topics
//	events:  number, then each as place in lists, JSON, Data
//
// so that a thousand events for the same thousand topics name them once.

// preparedEvents are the events of a change, encoded before their transaction
// is known. They share nothing with the caller.
type preparedEvents struct {
	batch  *batch                  // without positions
	topics []webconferencing.Topic // each once
	record []byte                  // without its frame
	exact  bool                    // batch is what record decodes to
}

func prepareEvents(events []webconferencing.Event) (*preparedEvents, error) {
	b := &batch{events: change.Events(events)}
	p := &preparedEvents{batch: b, exact: true}
	b.list = make([]int32, len(b.events))
	var text []byte
	for i := range b.events {
		e := &b.events[i]
		plain, err := json.Marshal(withoutData(*e))
		if err != nil {
			return nil, fmt.Errorf("event %d: %w", i, err)
		}
		// JSON can't hold bytes that are not UTF-8 and says so with this escape.
		p.exact = p.exact && !bytes.Contains(plain, []byte(`\ufffd`))
		if n := len(b.lists); n == 0 || !change.SameTopics(b.lists[n-1], e.Topics) {
			b.lists = append(b.lists, e.Topics)
		}
		b.list[i] = int32(len(b.lists) - 1)
		if i == 0 || e.Time.After(b.newest) {
			b.newest = e.Time
		}
		text = binary.AppendUvarint(text, uint64(b.list[i]))
		text = appendBytes(text, plain)
		text = appendBytes(text, e.Data)
	}
	p.record, p.topics = b.encode(text)
	return p, nil
}

// encode returns the record, the end of whose payload is given, without its
// frame, and the topics.
func (b *batch) encode(events []byte) ([]byte, []webconferencing.Topic) {
	var topics []webconferencing.Topic
	place := make(map[webconferencing.Topic]uint64)
	var lists []byte
	for _, list := range b.lists {
		lists = binary.AppendUvarint(lists, uint64(len(list)))
		for _, topic := range list {
			n, ok := place[topic]
			if !ok {
				n = uint64(len(topics))
				place[topic] = n
				topics = append(topics, topic)
			}
			lists = binary.AppendUvarint(lists, n)
		}
	}
	room := timeLength + 3*binary.MaxVarintLen32 + len(lists) + len(events)
	for _, topic := range topics {
		room += len(topic) + binary.MaxVarintLen16
	}
	raw := appendTime(blank(room), b.newest)
	raw = binary.AppendUvarint(raw, uint64(len(topics)))
	for _, topic := range topics {
		raw = appendBytes(raw, topic)
	}
	raw = binary.AppendUvarint(raw, uint64(len(b.lists)))
	raw = append(raw, lists...)
	raw = binary.AppendUvarint(raw, uint64(len(b.events)))
	return append(raw, events...), topics
}

// withoutData takes out what is stored beside the JSON: Data is kept byte by
// byte.
func withoutData(e webconferencing.Event) *webconferencing.Event {
	e.Data = nil
	return &e
}

// place gives the events the positions that end with last.
func (b *batch) place(last webconferencing.Position) {
	for i := range b.events {
		b.events[i].Position = last - webconferencing.Position(len(b.events)-1-i)
	}
}

// batch is a decoded journal batch. It is shared between the cache and all
// readers and never changed.
type batch struct {
	newest time.Time
	topics []webconferencing.Topic
	events []webconferencing.Event
	list   []int32                   // of each event, its place in lists
	lists  [][]webconferencing.Topic // as events of one audience follow each other
	size   int                       // of the record, in bytes
}

// first returns the position of the first event.
func (b *batch) first() webconferencing.Position { return b.events[0].Position }

// last returns the position of the last event.
func (b *batch) last() webconferencing.Position { return b.events[len(b.events)-1].Position }

// batchTime returns the newest time of a batch.
func batchTime(key, raw []byte) (time.Time, error) {
	payload, err := unseal(kindBatch, key, raw)
	if err != nil {
		return time.Time{}, err
	}
	d := &decoder{b: payload}
	newest := d.time()
	if d.err != nil {
		return time.Time{}, corrupt(kindBatch, key, d.err)
	}
	return newest, nil
}

// decodeBatchHead decodes the newest time and the topics of a batch.
func decodeBatchHead(key, raw []byte) (*batch, *decoder, error) {
	payload, err := unseal(kindBatch, key, raw)
	if err != nil {
		return nil, nil, err
	}
	d := &decoder{b: payload}
	b := &batch{newest: d.time(), size: len(raw)}
	b.topics = make([]webconferencing.Topic, d.count())
	for i := range b.topics {
		b.topics[i] = webconferencing.Topic(d.bytes())
	}
	if d.err != nil {
		return nil, nil, corrupt(kindBatch, key, d.err)
	}
	return b, d, nil
}

// decodeBatch decodes a batch. It keeps nothing of raw.
func decodeBatch(key, raw []byte) (*batch, error) {
	b, d, err := decodeBatchHead(key, raw)
	if err != nil {
		return nil, err
	}
	bad := func(err error) error { return corrupt(kindBatch, key, err) }
	b.decodeLists(d)
	n := d.count()
	if d.err == nil && (n == 0 || len(key) != positionLength || uint64(n) > binary.BigEndian.Uint64(key)) {
		return nil, bad(fmt.Errorf("%w: %d events", ErrDamaged, n))
	}
	b.events = make([]webconferencing.Event, n)
	b.list = make([]int32, n)
	for i := range b.events {
		list, text, data := d.uvarint(), d.bytes(), d.bytes()
		if d.err == nil && (list >= uint64(len(b.lists)) || i > 0 && list < uint64(b.list[i-1])) {
			d.fail()
		}
		if d.err != nil {
			break
		}
		e := &b.events[i]
		if err := json.Unmarshal(text, e); err != nil {
			return nil, bad(fmt.Errorf("%w: %w", ErrDamaged, err))
		}
		b.list[i] = int32(list)
		e.Topics = b.lists[list]
		e.Position = webconferencing.Position(binary.BigEndian.Uint64(key) - uint64(n-1-i))
		e.Data = nil
		if len(data) > 0 {
			e.Data = append(json.RawMessage{}, data...)
		}
	}
	if err := d.end(); err != nil {
		return nil, bad(err)
	}
	b.topics = nil // the lists have them
	return b, nil
}

// decodeLists decodes the lists of topics.
func (b *batch) decodeLists(d *decoder) {
	b.lists = make([][]webconferencing.Topic, d.count())
	for i := range b.lists {
		n := d.count()
		if n > 0 {
			b.lists[i] = make([]webconferencing.Topic, n)
		}
		for j := range b.lists[i] {
			place := d.uvarint()
			if d.err != nil || place >= uint64(len(b.topics)) {
				d.fail()
				return
			}
			b.lists[i][j] = b.topics[place]
		}
	}
}

// appendEvents appends to out the events of the topic after the position until
// out has limit events.
func (b *batch) appendEvents(out []webconferencing.Event, topic webconferencing.Topic, after webconferencing.Position, limit int) []webconferencing.Event {
	looked, in := int32(-1), true // the list looked at last, and whether it names the topic
	for i := range b.events {
		if len(out) >= limit {
			break
		}
		if topic != webconferencing.AllTopics && looked != b.list[i] {
			looked = b.list[i]
			in = slices.Contains(b.lists[looked], topic)
		}
		if in && b.events[i].Position > after {
			out = append(out, b.events[i])
		}
	}
	return out
}
