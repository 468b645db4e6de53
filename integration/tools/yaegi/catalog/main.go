// Command catalog does with a plugin what Traefik's plugin catalog does before it lists one: it imports the plugin into a
// bare interpreter, decodes the manifest's test data into its configuration, and creates the middleware. Then it sends
// one request through it.
//
// Usage: catalog GOPATH IMPORT <test data as JSON
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"reflect"

	"github.com/mitchellh/mapstructure"
	"github.com/traefik/yaegi/interp"
	"github.com/traefik/yaegi/stdlib"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 3 {
		log.Fatal("usage: catalog GOPATH IMPORT <test data as JSON")
	}
	var data map[string]any
	if err := json.NewDecoder(os.Stdin).Decode(&data); err != nil {
		log.Fatalf("test data: %v", err)
	}
	handler, err := create(os.Args[1], os.Args[2], data)
	if err != nil {
		log.Fatal(err)
	}
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "http://localhost/", nil))
	fmt.Println(recorder.Code, recorder.Body)
}

// create returns the middleware in front of a handler that shows the variant announced to it.
func create(goPath, plugin string, data map[string]any) (http.Handler, error) {
	i := interp.New(interp.Options{GoPath: goPath})
	if err := i.Use(stdlib.Symbols); err != nil {
		return nil, err
	}
	if _, err := i.Eval(fmt.Sprintf("import %q", plugin)); err != nil {
		return nil, err
	}
	createConfig, err := i.Eval(path.Base(plugin) + ".CreateConfig")
	if err != nil {
		return nil, err
	}
	config := createConfig.Call(nil)[0]
	decoder, err := mapstructure.NewDecoder(&mapstructure.DecoderConfig{
		DecodeHook:       mapstructure.StringToSliceHookFunc(","),
		WeaklyTypedInput: true,
		Result:           config.Interface(),
	})
	if err != nil {
		return nil, err
	}
	if err := decoder.Decode(data); err != nil {
		return nil, err
	}
	create, err := i.Eval(path.Base(plugin) + ".New")
	if err != nil {
		return nil, err
	}
	next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Header.Get("X-Rollout-Variant"))
	})
	results := create.Call([]reflect.Value{reflect.ValueOf(context.Background()), reflect.ValueOf(next), config, reflect.ValueOf("test")})
	if err, failed := results[1].Interface().(error); failed {
		return nil, err
	}
	handler, ok := results[0].Interface().(http.Handler)
	if !ok {
		return nil, fmt.Errorf("New returns a %T, which is no http.Handler", results[0].Interface())
	}
	return handler, nil
}
