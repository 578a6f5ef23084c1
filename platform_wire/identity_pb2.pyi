from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Principal(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PRINCIPAL_UNSPECIFIED: _ClassVar[Principal]
    PRINCIPAL_ACCOUNT: _ClassVar[Principal]
    PRINCIPAL_USER: _ClassVar[Principal]
    PRINCIPAL_RUNNER: _ClassVar[Principal]
    PRINCIPAL_ENVIRONMENT: _ClassVar[Principal]
    PRINCIPAL_SERVICE_ACCOUNT: _ClassVar[Principal]
    PRINCIPAL_RUNNER_MANAGER: _ClassVar[Principal]

class IDTokenVersion(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ID_TOKEN_VERSION_UNSPECIFIED: _ClassVar[IDTokenVersion]
    ID_TOKEN_VERSION_V1: _ClassVar[IDTokenVersion]
    ID_TOKEN_VERSION_V2: _ClassVar[IDTokenVersion]
PRINCIPAL_UNSPECIFIED: Principal
PRINCIPAL_ACCOUNT: Principal
PRINCIPAL_USER: Principal
PRINCIPAL_RUNNER: Principal
PRINCIPAL_ENVIRONMENT: Principal
PRINCIPAL_SERVICE_ACCOUNT: Principal
PRINCIPAL_RUNNER_MANAGER: Principal
ID_TOKEN_VERSION_UNSPECIFIED: IDTokenVersion
ID_TOKEN_VERSION_V1: IDTokenVersion
ID_TOKEN_VERSION_V2: IDTokenVersion

class Subject(_message.Message):
    __slots__ = ("id", "principal")
    ID_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    id: str
    principal: Principal
    def __init__(self, id: _Optional[str] = ..., principal: _Optional[_Union[Principal, str]] = ...) -> None: ...

class GetIDTokenRequest(_message.Message):
    __slots__ = ("audience", "version")
    AUDIENCE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    audience: _containers.RepeatedScalarFieldContainer[str]
    version: IDTokenVersion
    def __init__(self, audience: _Optional[_Iterable[str]] = ..., version: _Optional[_Union[IDTokenVersion, str]] = ...) -> None: ...

class GetIDTokenResponse(_message.Message):
    __slots__ = ("token",)
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    token: str
    def __init__(self, token: _Optional[str] = ...) -> None: ...

class GetAuthenticatedIdentityRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetAuthenticatedIdentityResponse(_message.Message):
    __slots__ = ("subject", "organization_id", "organization_tier")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_ID_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_TIER_FIELD_NUMBER: _ClassVar[int]
    subject: Subject
    organization_id: str
    organization_tier: str
    def __init__(self, subject: _Optional[_Union[Subject, _Mapping]] = ..., organization_id: _Optional[str] = ..., organization_tier: _Optional[str] = ...) -> None: ...

class ExchangeTokenRequest(_message.Message):
    __slots__ = ("exchange_token",)
    EXCHANGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    exchange_token: str
    def __init__(self, exchange_token: _Optional[str] = ...) -> None: ...

class ExchangeTokenResponse(_message.Message):
    __slots__ = ("access_token",)
    ACCESS_TOKEN_FIELD_NUMBER: _ClassVar[int]
    access_token: str
    def __init__(self, access_token: _Optional[str] = ...) -> None: ...
