package identity_test

import (
	"fmt"
	"time"

	"github.com/grayling-gateway/grayling/core/identity"
)

// The token and the key are those of RFC 7515, appendix A.3.
func Example() {
	v := identity.New(identity.Settings{Issuer: "joe"})
	root := v.Claim("http://example.com/is_root")
	err := v.LoadKeys([]byte(`{"keys": [{
		"kty": "EC", "crv": "P-256",
		"x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
	}]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	token := "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ." +
		"DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
	claims, cause := identity.Verify(v, token, time.Unix(1300819379, 0))
	fmt.Println(claims[root], cause == identity.Verified)
	_, cause = identity.Verify(v, token, time.Unix(1300819380, 0))
	fmt.Println(cause)
	// Output:
	// [true] true
	// expired
}
