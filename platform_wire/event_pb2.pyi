from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ResourceOperation(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RESOURCE_OPERATION_UNSPECIFIED: _ClassVar[ResourceOperation]
    RESOURCE_OPERATION_CREATE: _ClassVar[ResourceOperation]
    RESOURCE_OPERATION_UPDATE: _ClassVar[ResourceOperation]
    RESOURCE_OPERATION_DELETE: _ClassVar[ResourceOperation]
    RESOURCE_OPERATION_UPDATE_STATUS: _ClassVar[ResourceOperation]

class ResourceType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RESOURCE_TYPE_UNSPECIFIED: _ClassVar[ResourceType]
    RESOURCE_TYPE_ENVIRONMENT: _ClassVar[ResourceType]
    RESOURCE_TYPE_RUNNER: _ClassVar[ResourceType]
    RESOURCE_TYPE_PROJECT: _ClassVar[ResourceType]
    RESOURCE_TYPE_TASK: _ClassVar[ResourceType]
    RESOURCE_TYPE_TASK_EXECUTION: _ClassVar[ResourceType]
    RESOURCE_TYPE_SERVICE: _ClassVar[ResourceType]
    RESOURCE_TYPE_ORGANIZATION: _ClassVar[ResourceType]
    RESOURCE_TYPE_USER: _ClassVar[ResourceType]
    RESOURCE_TYPE_ENVIRONMENT_CLASS: _ClassVar[ResourceType]
    RESOURCE_TYPE_RUNNER_SCM_INTEGRATION: _ClassVar[ResourceType]
    RESOURCE_TYPE_HOST_AUTHENTICATION_TOKEN: _ClassVar[ResourceType]
    RESOURCE_TYPE_GROUP: _ClassVar[ResourceType]
    RESOURCE_TYPE_PERSONAL_ACCESS_TOKEN: _ClassVar[ResourceType]
    RESOURCE_TYPE_USER_PREFERENCE: _ClassVar[ResourceType]
    RESOURCE_TYPE_SERVICE_ACCOUNT: _ClassVar[ResourceType]
    RESOURCE_TYPE_SECRET: _ClassVar[ResourceType]
    RESOURCE_TYPE_SSO_CONFIG: _ClassVar[ResourceType]
    RESOURCE_TYPE_DOMAIN_VERIFICATION: _ClassVar[ResourceType]
    RESOURCE_TYPE_AGENT_EXECUTION: _ClassVar[ResourceType]
    RESOURCE_TYPE_RUNNER_LLM_INTEGRATION: _ClassVar[ResourceType]
    RESOURCE_TYPE_AGENT: _ClassVar[ResourceType]
    RESOURCE_TYPE_ENVIRONMENT_SESSION: _ClassVar[ResourceType]
    RESOURCE_TYPE_USER_SECRET: _ClassVar[ResourceType]
    RESOURCE_TYPE_ORGANIZATION_POLICY: _ClassVar[ResourceType]
    RESOURCE_TYPE_ORGANIZATION_SECRET: _ClassVar[ResourceType]
    RESOURCE_TYPE_PROJECT_ENVIRONMENT_CLASS: _ClassVar[ResourceType]
    RESOURCE_TYPE_BILLING: _ClassVar[ResourceType]
    RESOURCE_TYPE_PROMPT: _ClassVar[ResourceType]
    RESOURCE_TYPE_COUPON: _ClassVar[ResourceType]
    RESOURCE_TYPE_COUPON_REDEMPTION: _ClassVar[ResourceType]
    RESOURCE_TYPE_ACCOUNT: _ClassVar[ResourceType]
    RESOURCE_TYPE_INTEGRATION: _ClassVar[ResourceType]
    RESOURCE_TYPE_WORKFLOW: _ClassVar[ResourceType]
    RESOURCE_TYPE_WORKFLOW_EXECUTION: _ClassVar[ResourceType]
    RESOURCE_TYPE_WORKFLOW_EXECUTION_ACTION: _ClassVar[ResourceType]
    RESOURCE_TYPE_SNAPSHOT: _ClassVar[ResourceType]
    RESOURCE_TYPE_PREBUILD: _ClassVar[ResourceType]
    RESOURCE_TYPE_ORGANIZATION_LLM_INTEGRATION: _ClassVar[ResourceType]
    RESOURCE_TYPE_CUSTOM_DOMAIN: _ClassVar[ResourceType]
    RESOURCE_TYPE_ROLE_ASSIGNMENT_CHANGED: _ClassVar[ResourceType]
    RESOURCE_TYPE_GROUP_MEMBERSHIP_CHANGED: _ClassVar[ResourceType]
    RESOURCE_TYPE_WEBHOOK: _ClassVar[ResourceType]
    RESOURCE_TYPE_SCIM_CONFIGURATION: _ClassVar[ResourceType]
    RESOURCE_TYPE_SERVICE_ACCOUNT_SECRET: _ClassVar[ResourceType]
    RESOURCE_TYPE_ANNOUNCEMENT_BANNER: _ClassVar[ResourceType]
    RESOURCE_TYPE_SERVICE_ACCOUNT_TOKEN: _ClassVar[ResourceType]
    RESOURCE_TYPE_ROLE_ASSIGNMENT: _ClassVar[ResourceType]
    RESOURCE_TYPE_WARM_POOL: _ClassVar[ResourceType]
    RESOURCE_TYPE_NOTIFICATION: _ClassVar[ResourceType]
    RESOURCE_TYPE_SECURITY_POLICY: _ClassVar[ResourceType]
RESOURCE_OPERATION_UNSPECIFIED: ResourceOperation
RESOURCE_OPERATION_CREATE: ResourceOperation
RESOURCE_OPERATION_UPDATE: ResourceOperation
RESOURCE_OPERATION_DELETE: ResourceOperation
RESOURCE_OPERATION_UPDATE_STATUS: ResourceOperation
RESOURCE_TYPE_UNSPECIFIED: ResourceType
RESOURCE_TYPE_ENVIRONMENT: ResourceType
RESOURCE_TYPE_RUNNER: ResourceType
RESOURCE_TYPE_PROJECT: ResourceType
RESOURCE_TYPE_TASK: ResourceType
RESOURCE_TYPE_TASK_EXECUTION: ResourceType
RESOURCE_TYPE_SERVICE: ResourceType
RESOURCE_TYPE_ORGANIZATION: ResourceType
RESOURCE_TYPE_USER: ResourceType
RESOURCE_TYPE_ENVIRONMENT_CLASS: ResourceType
RESOURCE_TYPE_RUNNER_SCM_INTEGRATION: ResourceType
RESOURCE_TYPE_HOST_AUTHENTICATION_TOKEN: ResourceType
RESOURCE_TYPE_GROUP: ResourceType
RESOURCE_TYPE_PERSONAL_ACCESS_TOKEN: ResourceType
RESOURCE_TYPE_USER_PREFERENCE: ResourceType
RESOURCE_TYPE_SERVICE_ACCOUNT: ResourceType
RESOURCE_TYPE_SECRET: ResourceType
RESOURCE_TYPE_SSO_CONFIG: ResourceType
RESOURCE_TYPE_DOMAIN_VERIFICATION: ResourceType
RESOURCE_TYPE_AGENT_EXECUTION: ResourceType
RESOURCE_TYPE_RUNNER_LLM_INTEGRATION: ResourceType
RESOURCE_TYPE_AGENT: ResourceType
RESOURCE_TYPE_ENVIRONMENT_SESSION: ResourceType
RESOURCE_TYPE_USER_SECRET: ResourceType
RESOURCE_TYPE_ORGANIZATION_POLICY: ResourceType
RESOURCE_TYPE_ORGANIZATION_SECRET: ResourceType
RESOURCE_TYPE_PROJECT_ENVIRONMENT_CLASS: ResourceType
RESOURCE_TYPE_BILLING: ResourceType
RESOURCE_TYPE_PROMPT: ResourceType
RESOURCE_TYPE_COUPON: ResourceType
RESOURCE_TYPE_COUPON_REDEMPTION: ResourceType
RESOURCE_TYPE_ACCOUNT: ResourceType
RESOURCE_TYPE_INTEGRATION: ResourceType
RESOURCE_TYPE_WORKFLOW: ResourceType
RESOURCE_TYPE_WORKFLOW_EXECUTION: ResourceType
RESOURCE_TYPE_WORKFLOW_EXECUTION_ACTION: ResourceType
RESOURCE_TYPE_SNAPSHOT: ResourceType
RESOURCE_TYPE_PREBUILD: ResourceType
RESOURCE_TYPE_ORGANIZATION_LLM_INTEGRATION: ResourceType
RESOURCE_TYPE_CUSTOM_DOMAIN: ResourceType
RESOURCE_TYPE_ROLE_ASSIGNMENT_CHANGED: ResourceType
RESOURCE_TYPE_GROUP_MEMBERSHIP_CHANGED: ResourceType
RESOURCE_TYPE_WEBHOOK: ResourceType
RESOURCE_TYPE_SCIM_CONFIGURATION: ResourceType
RESOURCE_TYPE_SERVICE_ACCOUNT_SECRET: ResourceType
RESOURCE_TYPE_ANNOUNCEMENT_BANNER: ResourceType
RESOURCE_TYPE_SERVICE_ACCOUNT_TOKEN: ResourceType
RESOURCE_TYPE_ROLE_ASSIGNMENT: ResourceType
RESOURCE_TYPE_WARM_POOL: ResourceType
RESOURCE_TYPE_NOTIFICATION: ResourceType
RESOURCE_TYPE_SECURITY_POLICY: ResourceType

class WatchEventsRequest(_message.Message):
    __slots__ = ("organization", "environment_id", "resource_type_filters")
    class ResourceTypeFilter(_message.Message):
        __slots__ = ("resource_type", "resource_ids", "creator_ids")
        RESOURCE_TYPE_FIELD_NUMBER: _ClassVar[int]
        RESOURCE_IDS_FIELD_NUMBER: _ClassVar[int]
        CREATOR_IDS_FIELD_NUMBER: _ClassVar[int]
        resource_type: ResourceType
        resource_ids: _containers.RepeatedScalarFieldContainer[str]
        creator_ids: _containers.RepeatedScalarFieldContainer[str]
        def __init__(self, resource_type: _Optional[_Union[ResourceType, str]] = ..., resource_ids: _Optional[_Iterable[str]] = ..., creator_ids: _Optional[_Iterable[str]] = ...) -> None: ...
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_ID_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_TYPE_FILTERS_FIELD_NUMBER: _ClassVar[int]
    organization: bool
    environment_id: str
    resource_type_filters: _containers.RepeatedCompositeFieldContainer[WatchEventsRequest.ResourceTypeFilter]
    def __init__(self, organization: _Optional[bool] = ..., environment_id: _Optional[str] = ..., resource_type_filters: _Optional[_Iterable[_Union[WatchEventsRequest.ResourceTypeFilter, _Mapping]]] = ...) -> None: ...

class WatchEventsResponse(_message.Message):
    __slots__ = ("operation", "resource_type", "resource_id")
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_TYPE_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    operation: ResourceOperation
    resource_type: ResourceType
    resource_id: str
    def __init__(self, operation: _Optional[_Union[ResourceOperation, str]] = ..., resource_type: _Optional[_Union[ResourceType, str]] = ..., resource_id: _Optional[str] = ...) -> None: ...
