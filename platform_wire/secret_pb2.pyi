from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Secret(_message.Message):
    __slots__ = ()
    class CredentialProxy(_message.Message):
        __slots__ = ("target_hosts", "header")
        TARGET_HOSTS_FIELD_NUMBER: _ClassVar[int]
        HEADER_FIELD_NUMBER: _ClassVar[int]
        target_hosts: _containers.RepeatedScalarFieldContainer[str]
        header: str
        def __init__(self, target_hosts: _Optional[_Iterable[str]] = ..., header: _Optional[str] = ...) -> None: ...
    class Source(_message.Message):
        __slots__ = ("verbatim", "oidc_jfrog")
        class OidcJFrog(_message.Message):
            __slots__ = ("host", "provider_name")
            HOST_FIELD_NUMBER: _ClassVar[int]
            PROVIDER_NAME_FIELD_NUMBER: _ClassVar[int]
            host: str
            provider_name: str
            def __init__(self, host: _Optional[str] = ..., provider_name: _Optional[str] = ...) -> None: ...
        VERBATIM_FIELD_NUMBER: _ClassVar[int]
        OIDC_JFROG_FIELD_NUMBER: _ClassVar[int]
        verbatim: bool
        oidc_jfrog: Secret.Source.OidcJFrog
        def __init__(self, verbatim: _Optional[bool] = ..., oidc_jfrog: _Optional[_Union[Secret.Source.OidcJFrog, _Mapping]] = ...) -> None: ...
    def __init__(self) -> None: ...
