package jitsi

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/webconferencing/webconferencing"
)

// syncEvent is what event_sync posts.
type syncEvent struct {
	Name        text           `json:"event_name"`
	Room        text           `json:"room_name"`
	DestroyedAt unixTime       `json:"destroyed_at"`
	Occupant    *syncOccupant  `json:"occupant"`
	All         []syncOccupant `json:"all_occupants"`
}

type syncOccupant struct {
	JID      text     `json:"occupant_jid"`
	ID       text     `json:"id"`
	Name     text     `json:"name"`
	JoinedAt unixTime `json:"joined_at"`
	LeftAt   unixTime `json:"left_at"`
}

// maxOccupantsTold bounds what one event can say.
const maxOccupantsTold = 1000

// eventSync translates one event. Those of rooms and people that are not ours
// are taken, so that the server does not try again, and say nothing.
func (p *Provider) eventSync(body []byte, now time.Time) (*webconferencing.WebhookReply, error) {
	var e syncEvent
	if err := json.Unmarshal(body, &e); err != nil {
		return nil, malformed(err)
	}
	reply := &webconferencing.WebhookReply{}
	add := func(o *syncOccupant, typ webconferencing.EvidenceType, at time.Time) {
		if o == nil || !recent(at, now) {
			return
		}
		if ev, ok := p.evidence(string(o.ID), string(o.JID), typ, at); ok {
			ev.Name, ev.Joined = string(o.Name), o.JoinedAt.Time
			reply.Evidence = append(reply.Evidence, ev)
		}
	}
	switch e.Name {
	case "muc-occupant-joined":
		if e.Occupant != nil {
			add(e.Occupant, webconferencing.EvidenceJoined, e.Occupant.JoinedAt.Time)
		}
	case "muc-occupant-left":
		if e.Occupant != nil {
			add(e.Occupant, webconferencing.EvidenceLeft, e.Occupant.LeftAt.Time)
		}
	case "muc-room-destroyed":
		// Repeats what was told of each occupant, in case that got lost.
		for i := range min(len(e.All), maxOccupantsTold) {
			o := &e.All[i]
			at := o.LeftAt.Time
			if at.IsZero() {
				at = e.DestroyedAt.Time
			}
			add(o, webconferencing.EvidenceLeft, at)
		}
	}
	return reply, nil
}

// evidence is about the device that has an id in its token. The connection is
// that of the server, which is another one after each reconnect.
func (p *Provider) evidence(id, connection string, typ webconferencing.EvidenceType, at time.Time) (webconferencing.Evidence, bool) {
	who, ok := p.occupantOf(id)
	if !ok || connection == "" {
		return webconferencing.Evidence{}, false
	}
	// The server's name of a connection begins with the room's, which may be
	// all that it takes to enter.
	sum := sha256.Sum256([]byte(connection))
	connection = hex.EncodeToString(sum[:12])
	stamp := ""
	if !at.IsZero() {
		stamp = strconv.FormatInt(at.Unix(), 10)
	}
	return webconferencing.Evidence{
		Key:      strings.Join([]string{string(typ), connection, stamp}, " "),
		Type:     typ,
		Call:     who.call,
		Epoch:    who.epoch,
		Attendee: webconferencing.Attendee{Connection: connection, User: who.user, Seat: who.seat},
		Time:     at,
	}, true
}
