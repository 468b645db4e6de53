package core

// Store is where the state of rollouts is kept.
type Store struct {
	// Kind is "memory", which ends with the process, "file", "etcd", or "caddy", which is Caddy's storage. Empty: caddy in
	// Caddy, elsewhere memory.
	Kind string `json:"kind,omitempty"`

	// Path is the file of the kind "file". Its directory must be there.
	Path string `json:"path,omitempty"`

	// Endpoints are the URLs of the members of etcd 3.4 or newer, such as https://10.0.0.1:2379, as clients use them. One
	// that answers is used until it fails. Required for the kind "etcd", which all that follows is for.
	Endpoints []string `json:"endpoints,omitempty"`

	// Prefix is what all keys in etcd begin with. Gateways with the same prefix share their rollouts. Empty: /grayling/.
	Prefix string `json:"prefix,omitempty"`

	// Username is the user of etcd to authenticate as, who needs a role that may read and write all that begins with the
	// prefix. Empty: nobody.
	Username string `json:"username,omitempty"`

	// Password is the user's: "env:NAME", "file:/path", or the text itself.
	Password string `json:"password,omitempty"`

	// TLS is how members with https are met.
	TLS StoreTLS `json:"tls,omitzero"`

	// Timeout is how long a member may take to answer until another is asked, from 100ms to 30s. Empty: 3s.
	Timeout string `json:"timeout,omitempty"`

	// Rest catches unknown keys, as in Config.
	Rest map[string]any `json:"-" mapstructure:",remain"`
}

// StoreTLS is how a store is met over TLS. Certificates and keys are PEM: "file:/path", "env:NAME", or the text itself.
// Files are read again for every connection.
type StoreTLS struct {
	// CA holds the certificate authorities that a member's certificate must come from. Empty: the system's.
	CA string `json:"ca,omitempty"`

	// Certificate authenticates the gateway to the members. Empty: nothing does.
	Certificate string `json:"certificate,omitempty"`

	// Key is that of the certificate: both or none.
	Key string `json:"key,omitempty"`

	// ServerName is the name that the members' certificates must be for. Empty: the host of each one's URL.
	ServerName string `json:"server_name,omitempty"`

	// Rest catches unknown keys, as in Config.
	Rest map[string]any `json:"-" mapstructure:",remain"`
}
