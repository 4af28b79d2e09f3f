package jitsi

import (
	"encoding/json"
	"time"

	"github.com/webconferencing/webconferencing"
)

// jaasData is what an event tells of a person; other types of events, whose data
// may have any form, are not looked at.
type jaasData struct {
	ID          text `json:"id"`
	Name        text `json:"name"`
	Participant text `json:"participantId"`
	JID         text `json:"participantJid"`
}

// UnmarshalJSON implements [json.Unmarshaler].
func (d *jaasData) UnmarshalJSON(raw []byte) error {
	type plain jaasData
	var p plain
	if json.Unmarshal(raw, &p) != nil {
		p = plain{}
	}
	*d = jaasData(p)
	return nil
}

// maxKey bounds the keys that are passed on.
const maxKey = 128

// jaasEvent translates an event of Jitsi as a Service. Those come in no order
// and at least once.
func (p *Provider) jaasEvent(c *setup, body []byte, now time.Time) (*webconferencing.WebhookReply, error) {
	var e struct {
		Key   text       `json:"idempotencyKey"`
		AppID text       `json:"appId"`
		Type  text       `json:"eventType"`
		Time  unixMillis `json:"timestamp"`
		Data  jaasData   `json:"data"`
	}
	if err := json.Unmarshal(body, &e); err != nil {
		return nil, malformed(err)
	}
	reply := &webconferencing.WebhookReply{}
	if string(e.AppID) != c.appID {
		return nil, &webconferencing.Error{Code: webconferencing.CodeDenied, Message: "not our account"}
	}
	var typ webconferencing.EvidenceType
	switch e.Type {
	case "PARTICIPANT_JOINED":
		typ = webconferencing.EvidenceJoined
	case "PARTICIPANT_LEFT":
		typ = webconferencing.EvidenceLeft
	default:
		return reply, nil
	}
	connection := e.Data.JID
	if connection == "" {
		connection = e.Data.Participant
	}
	ev, ok := p.evidence(string(e.Data.ID), string(connection), typ, e.Time.Time)
	if !ok || !recent(e.Time.Time, now) {
		return reply, nil
	}
	ev.Name = string(e.Data.Name)
	if e.Key != "" && len(e.Key) <= maxKey {
		ev.Key = "jaas " + string(e.Key)
	}
	reply.Evidence = append(reply.Evidence, ev)
	return reply, nil
}
