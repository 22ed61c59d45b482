// The chaincode that the bench fabric-shim compares the Python shim with: the same two functions,
// the same rows, by Fabric's own Go shim. Its twin is shim_twin.py beside this folder.
package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
)

const valueBytes = 200

type twin struct{}

func (twin) Init(shim.ChaincodeStubInterface) *peer.Response {
	return shim.Success(nil)
}

func (twin) Invoke(stub shim.ChaincodeStubInterface) *peer.Response {
	name, arguments := stub.GetFunctionAndParameters()
	if len(arguments) != 2 {
		return shim.Error("call it with a function, a number and a prefix")
	}
	count, err := strconv.Atoi(arguments[0])
	if err != nil || count < 1 {
		return shim.Error("the number is no count of rows")
	}
	switch name {
	case "touch":
		return answer(touch(stub, count, arguments[1]))
	case "put":
		return answer(stub.PutState(arguments[1], value()))
	default:
		return shim.Error("there are touch and put")
	}
}

// touch reads and then writes count rows whose keys begin with prefix.
func touch(stub shim.ChaincodeStubInterface, count int, prefix string) error {
	keys := make([]string, count)
	for number := range keys {
		keys[number] = fmt.Sprintf("%s/%06d", prefix, number)
	}
	if _, err := stub.GetMultipleStates(keys...); err != nil {
		return err
	}
	stub.StartWriteBatch()
	row := value()
	for _, key := range keys {
		if err := stub.PutState(key, row); err != nil {
			return err
		}
	}
	return stub.FinishWriteBatch()
}

func value() []byte {
	return []byte(strings.Repeat("x", valueBytes))
}

func answer(err error) *peer.Response {
	if err != nil {
		return shim.Error(err.Error())
	}
	return shim.Success([]byte("done"))
}

func main() {
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve() error {
	var files [3][]byte
	names := []string{
		"CHAINCODE_TLS_KEY_FILE", "CHAINCODE_TLS_CERT_FILE", "CHAINCODE_CLIENT_CA_CERT_FILE",
	}
	for number, name := range names {
		content, err := os.ReadFile(os.Getenv(name))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		files[number] = content
	}
	server := &shim.ChaincodeServer{
		CCID:    os.Getenv("CHAINCODE_ID"),
		Address: os.Getenv("CHAINCODE_SERVER_ADDRESS"),
		CC:      twin{},
		TLSProps: shim.TLSProperties{
			Key: files[0], Cert: files[1], ClientCACerts: files[2],
		},
	}
	return server.Start()
}
