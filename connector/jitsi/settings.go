package jitsi

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/webconferencing/webconferencing"
)

// Keys of the settings.
const (
	keyServer       = "server"
	keyTenant       = "tenant"
	keyAppID        = "app_id"
	keySecret       = "secret"
	keyAudience     = "audience"
	keySubject      = "subject"
	keyJaaSKeyID    = "key_id"
	keyPrivateKey   = "private_key"
	keyTokenTTL     = "token_seconds"
	keyEmbed        = "embed"
	keyPrejoin      = "prejoin"
	keyRecording    = "recording"
	keyLobby        = "lobby"
	keyMaxDuration  = "max_seconds"
	keyMaxOccupants = "max_occupants"
	keyWebhook      = "webhook_secret"
)

// Settings implements [webconferencing.Configurable]. Defaults are what the
// host gave to [New]; a secret that is left empty stays the host's.
func (p *Provider) Settings() []webconferencing.Setting {
	b := p.base
	list := []webconferencing.Setting{
		{Key: keyServer, Type: webconferencing.SettingURL, Title: "Server", Help: "Address of the Jitsi server, https and without a path.", Default: b.server, Required: true},
	}
	if b.jaas {
		list = append(list,
			webconferencing.Setting{Key: keyAppID, Type: webconferencing.SettingText, Title: "AppID", Help: "Begins with vpaas-magic-cookie-.", Default: b.appID, Required: true},
			webconferencing.Setting{Key: keyJaaSKeyID, Type: webconferencing.SettingText, Title: "Key ID", Help: "Without the AppID in front.", Default: b.keyID, Required: true},
			webconferencing.Setting{Key: keyPrivateKey, Type: webconferencing.SettingSecret, Title: "Private key", Help: "RSA key in PEM form."},
		)
	} else {
		list = append(list,
			webconferencing.Setting{Key: keyTenant, Type: webconferencing.SettingText, Title: "Tenant", Default: b.tenant},
			webconferencing.Setting{Key: keyAppID, Type: webconferencing.SettingText, Title: "App ID", Help: "The server's app_id; empty if it asks for no tokens.", Default: b.appID},
			webconferencing.Setting{Key: keySecret, Type: webconferencing.SettingSecret, Title: "App secret", Help: "The server's app_secret."},
			webconferencing.Setting{Key: keyAudience, Type: webconferencing.SettingText, Title: "Audience", Help: "Empty for jitsi.", Default: b.audience},
			webconferencing.Setting{Key: keySubject, Type: webconferencing.SettingText, Title: "Subject", Help: "Empty for the tenant or the server's host.", Default: b.subject},
		)
	}
	return append(list,
		webconferencing.Setting{Key: keyTokenTTL, Type: webconferencing.SettingSeconds, Title: "Tokens open for", Default: seconds(b.tokenTTL), Min: int64(minTokenTTL / time.Second), Max: int64(maxTokenTTL / time.Second)},
		webconferencing.Setting{Key: keyEmbed, Type: webconferencing.SettingChoice, Title: "Embedding", Help: "script: the page hears of leaving and muting; frame: no script of the server runs in the page.", Default: string(b.embed), Choices: []string{string(EmbedScript), string(EmbedFrame)}},
		webconferencing.Setting{Key: keyPrejoin, Type: webconferencing.SettingBool, Title: "Choose devices before entering", Default: strconv.FormatBool(b.prejoin)},
		webconferencing.Setting{Key: keyRecording, Type: webconferencing.SettingBool, Title: "Moderators may record", Default: strconv.FormatBool(b.recording)},
		webconferencing.Setting{Key: keyLobby, Type: webconferencing.SettingBool, Title: "Rooms begin with a lobby", Help: "Needs reservations.", Default: strconv.FormatBool(b.lobby)},
		webconferencing.Setting{Key: keyMaxDuration, Type: webconferencing.SettingSeconds, Title: "Longest meeting", Help: "Needs reservations.", Default: seconds(b.maxDuration), Min: int64(minMaxDuration / time.Second), Max: int64(maxMaxDuration / time.Second)},
		webconferencing.Setting{Key: keyMaxOccupants, Type: webconferencing.SettingNumber, Title: "Most connections in a room", Help: "0 for the server's limit. Needs reservations.", Default: strconv.Itoa(b.maxOccupants), Max: 10_000},
		webconferencing.Setting{Key: keyWebhook, Type: webconferencing.SettingSecret, Title: "Webhook secret", Help: "What the server sends as bearer token; 16 characters or more."},
	)
}

func seconds(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }

// Configure implements [webconferencing.Configurable].
func (p *Provider) Configure(_ context.Context, values map[string]string) error {
	s := p.base
	var faults []error
	known := make(map[string]bool)
	for _, setting := range p.Settings() {
		known[setting.Key] = true
		value, given := values[setting.Key]
		if !given || setting.Type == webconferencing.SettingSecret && value == "" {
			continue
		}
		if err := s.set(setting.Key, value); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", setting.Key, err))
		}
	}
	for key := range values {
		if !known[key] {
			faults = append(faults, fmt.Errorf("%s: is not a setting", key))
		}
	}
	c, err := s.compile()
	faults = append(faults, err)
	if err := errors.Join(faults...); err != nil {
		return &webconferencing.Error{Code: webconferencing.CodeInvalid, Field: "settings", Message: err.Error()}
	}
	p.current.Store(c)
	return nil
}

func (s *settings) set(key, value string) error {
	var err error
	number := func() int64 {
		n, fault := strconv.ParseInt(value, 10, 32)
		if fault != nil {
			err = errors.New("is not a whole number")
		}
		return n
	}
	truth := func() bool {
		b, fault := strconv.ParseBool(value)
		if fault != nil {
			err = errors.New("is neither true nor false")
		}
		return b
	}
	switch key {
	case keyServer:
		s.server = value
	case keyTenant:
		s.tenant = value
	case keyAppID:
		s.appID = value
		if value == "" && !s.jaas {
			s.secret = "" // tokens are off
		}
	case keySecret:
		s.secret = value
	case keyAudience:
		s.audience = value
	case keySubject:
		s.subject = value
	case keyJaaSKeyID:
		s.keyID = value
	case keyPrivateKey:
		s.privateKey = value
	case keyTokenTTL:
		s.tokenTTL = time.Duration(number()) * time.Second
	case keyEmbed:
		s.embed = Embed(value)
	case keyPrejoin:
		s.prejoin = truth()
	case keyRecording:
		s.recording = truth()
	case keyLobby:
		s.lobby = truth()
	case keyMaxDuration:
		s.maxDuration = time.Duration(number()) * time.Second
	case keyMaxOccupants:
		s.maxOccupants = int(number())
	case keyWebhook:
		s.webhookSecret = value
	}
	return err
}
