package jitsi

import (
	"errors"
	"time"

	"github.com/webconferencing/webconferencing/config"
)

// properties are the settings of [FromConfig].
type properties struct {
	RoomSecret string `config:"room-secret,required"`

	URL        string `config:"url"`
	Tenant     string `config:"tenant"`
	AppID      string `config:"app-id"`
	Audience   string `config:"audience"`
	Subject    string `config:"subject"`
	EndKeyID   string `config:"end-meeting.key-id"`
	EndURL     string `config:"end-meeting.url"`
	EndMUC     string `config:"end-meeting.muc"`
	JaaSAppID  string `config:"jaas.app-id"`
	WebhookKey string `config:"webhook-secret"`

	Embed        string        `config:"embed"`
	Prejoin      bool          `config:"prejoin"`
	HideNames    bool          `config:"hide-names"`
	Recording    bool          `config:"recording"`
	Lobby        bool          `config:"lobby"`
	StableRooms  bool          `config:"stable-rooms"`
	TokenTTL     time.Duration `config:"token-ttl"`
	MaxDuration  time.Duration `config:"max-duration"`
	MaxOccupants int           `config:"max-occupants"`
	Title        string        `config:"title"`
	Inactive     bool          `config:"inactive"`
}

// FromConfig returns a provider whose options are among values, under keys that
// begin with prefix. Required are
//
//	room-secret       secret for the names of rooms, 32 characters or more
//
// and for an own server
//
//	url               its address
//	app-id, secret    if it asks for tokens; also audience, subject
//	tenant            if it has tenants
//	end-meeting.key-id, end-meeting.private-key
//	                  if it lets the portal close rooms; also
//	                  end-meeting.url, end-meeting.muc
//
// or for Jitsi as a Service
//
//	jaas.app-id, jaas.key-id, jaas.private-key
//
// The rest are the fields of [Options]: webhook-secret, embed, prejoin,
// hide-names, recording, lobby, stable-rooms, token-ttl, max-duration,
// max-occupants, title, inactive. Faults name the key or the field, never a
// value.
func FromConfig(values *config.Values, prefix string) (*Provider, error) {
	var c properties
	if err := values.Fill(prefix, &c); err != nil {
		return nil, err
	}
	o := &Options{
		TokenTTL: c.TokenTTL, Tenant: c.Tenant, StableRooms: c.StableRooms, Embed: Embed(c.Embed), Prejoin: c.Prejoin,
		HideNames: c.HideNames, Recording: c.Recording, Lobby: c.Lobby, MaxDuration: c.MaxDuration, MaxOccupants: c.MaxOccupants,
		WebhookSecret: c.WebhookKey, Title: c.Title, Inactive: c.Inactive,
	}
	var faults []error
	required := func(key string) string {
		value, err := values.Required(prefix + key)
		faults = append(faults, err)
		return value
	}
	if c.JaaSAppID != "" {
		account := JaaS{AppID: c.JaaSAppID, KeyID: required("jaas.key-id"), PrivateKey: required("jaas.private-key")}
		if err := errors.Join(faults...); err != nil {
			return nil, err
		}
		return NewJaaS(account, []byte(c.RoomSecret), o)
	}
	url := required("url")
	if c.AppID != "" {
		o.Token = &Token{AppID: c.AppID, Secret: required("secret"), Audience: c.Audience, Subject: c.Subject}
	}
	if c.EndKeyID != "" {
		o.EndMeeting = &EndMeeting{URL: c.EndURL, MUC: c.EndMUC, KeyID: c.EndKeyID, PrivateKey: required("end-meeting.private-key")}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return New(url, []byte(c.RoomSecret), o)
}
